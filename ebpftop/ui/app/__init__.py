"""The application: bindings, palette, help, and the wires between feed and screens."""
