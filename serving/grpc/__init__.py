"""The gRPC services of TensorFlow Serving."""
