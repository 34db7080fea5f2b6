"""How far posts reach beyond what is usual for their authors, and what hashtags add to it."""
