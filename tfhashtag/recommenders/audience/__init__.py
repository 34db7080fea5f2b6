"""The recommender `audience`."""
