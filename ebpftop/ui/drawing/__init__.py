"""Words, colours and lines: how things look, independent of widgets."""
