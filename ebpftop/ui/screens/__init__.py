"""The full screens: the dashboard, the verifier panel, playbooks; and the small screens above them."""
