"""Pure text: read a verifier's log and a compiler's output, find the author's line, say in words what is wrong."""
