"""The recommender `phr`."""
