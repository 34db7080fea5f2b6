"""Models, one folder a task."""
