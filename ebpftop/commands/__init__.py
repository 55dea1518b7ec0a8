"""The commands: each connects a source to a consumer."""
