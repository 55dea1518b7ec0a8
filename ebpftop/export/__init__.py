"""Consumers without a screen: one probe as text, JSON or CSV, and several probes recorded to a tape."""
