"""SavedModels: raw strings in the graph, signatures, writer, checks."""
