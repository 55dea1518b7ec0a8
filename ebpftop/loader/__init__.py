"""A loader is a short-lived root process: compile, load, attach, hand over, exit. The only room that imports bcc."""
