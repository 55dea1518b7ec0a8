"""Consumers without a screen: one probe as text, JSON or CSV, several recorded to a tape, and reports of a tape."""
