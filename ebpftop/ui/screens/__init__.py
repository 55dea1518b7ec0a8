"""What fills the terminal: the dashboard, the verifier panel, and the small screens above them."""
