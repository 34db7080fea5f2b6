"""What people would otherwise pick, each in an environment of its own."""
