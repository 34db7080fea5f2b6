"""Similar posts and what they carry: exact search, in NumPy and in the graph."""
