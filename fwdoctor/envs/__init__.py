"""Environment files from a plan; pure functions, one module a format."""
