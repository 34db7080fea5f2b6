"""The page of the REST port: write a post, see its hashtags, look at the models."""
