"""The recommender `rules`."""
