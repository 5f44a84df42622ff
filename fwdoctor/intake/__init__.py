"""Readers of pasted text: pure parsers, one file a format, found by content."""
