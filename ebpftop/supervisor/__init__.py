"""The only process that stays root: it forks the others, ends loaders that hang, and restores the terminal."""
