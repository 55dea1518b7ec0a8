"""What each command does: it wires a source to a consumer."""
