"""Reports: one file per output format, each with `render(report, options) -> str`."""
