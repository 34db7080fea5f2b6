"""The embedded server and its client."""
