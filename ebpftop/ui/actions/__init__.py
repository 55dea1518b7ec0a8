"""What a key does outside of the screen: the editor, the clipboard, files."""
