"""Probes as data: the manifest's schema, finding folders, typed parameters, lint."""
