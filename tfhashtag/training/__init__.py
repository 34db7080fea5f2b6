"""Training: the run folder, checkpoints, phases, recommenders."""
