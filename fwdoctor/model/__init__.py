"""Frozen records that everything else exchanges; no I/O, no logic beyond look-ups."""
