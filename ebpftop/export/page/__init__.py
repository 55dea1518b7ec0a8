"""One self-contained HTML page about what was traced, for a postmortem: no network, no script from elsewhere."""
