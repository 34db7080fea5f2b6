"""The recommender `lambdamart`."""
