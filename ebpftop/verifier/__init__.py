"""Pure text: reads a verifier's log or a compiler's output, finds the author's line, explains what is wrong."""
