"""The recommender `macon`."""
