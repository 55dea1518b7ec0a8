"""The dashboard: Textual screens over a source of frames. It never knows where the frames come from."""
