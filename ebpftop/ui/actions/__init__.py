"""Actions outside the screen: the editor, copies of probes, files."""
