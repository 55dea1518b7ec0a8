"""One self-contained HTML page about a trace, for a postmortem: no network, no external script."""
