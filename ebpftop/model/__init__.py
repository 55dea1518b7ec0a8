"""What a stream of frames adds up to: the state of its runs, and the numbers each view shows."""
