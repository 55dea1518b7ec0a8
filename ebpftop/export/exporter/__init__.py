"""Probes as metrics for Prometheus: accounts that only grow, their text form, and the server for them."""
