"""Words, colours and lines: how things look, without a widget."""
