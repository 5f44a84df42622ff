"""Which builds would work here, best first; pure functions over the matrices."""
