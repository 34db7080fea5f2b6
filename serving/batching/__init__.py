"""Requests of many clients in one run of the graph."""
