"""Why a trained model says what it says: attention, and what carried a score."""
