"""The run folder: training, evaluation, recommendation."""
