"""Runs, evaluations and studies told to MLflow or TensorBoard; only where one asks for it."""
