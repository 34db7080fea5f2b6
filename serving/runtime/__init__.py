"""Running the signatures of one loaded SavedModel."""
