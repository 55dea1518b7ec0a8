"""Passes descriptors and facts about them between processes: the messages, and their transport."""
