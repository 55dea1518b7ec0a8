"""Consumers without a screen: one probe as text, JSON or CSV, and several probes into a tape."""
