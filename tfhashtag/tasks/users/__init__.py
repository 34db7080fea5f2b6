"""Users: who will tag what."""
