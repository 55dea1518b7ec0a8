"""Probes as data: the manifest's schema, discovery of folders, typed parameters, lint."""
