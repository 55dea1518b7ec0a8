"""Pure text: read a verifier's log or a compiler's output, find the author's line, explain what is wrong."""
