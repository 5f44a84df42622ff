"""Container images read from files: nothing in them is run, nothing is unpacked."""
