"""The state that a stream of frames adds up to: its runs, and the numbers of each view."""
