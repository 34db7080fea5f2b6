"""The recommender `engagement`."""
