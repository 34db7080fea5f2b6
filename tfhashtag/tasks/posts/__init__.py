"""Posts: which hashtags does this post need."""
