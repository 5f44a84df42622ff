"""Probes: one file per source of facts; `runner.py` isolates and times them."""
