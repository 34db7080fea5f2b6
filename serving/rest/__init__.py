"""The REST API of TensorFlow Serving: JSON to tensors and back, and the HTTP around it."""
