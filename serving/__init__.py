"""The embedded server and its client; import the modules, each loads TensorFlow."""
