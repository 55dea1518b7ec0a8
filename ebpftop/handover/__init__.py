"""How descriptors and what is known of them pass between processes: the messages, and what carries them."""
