"""A fitted model for many rows at once: its arithmetic compiled, its answers the same to the last bit."""
