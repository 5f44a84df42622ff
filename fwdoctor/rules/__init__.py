"""Rules: one file each, named `fwNNN_name.py`; `registry.py` finds them by scanning."""
