"""The recommender `als`."""
