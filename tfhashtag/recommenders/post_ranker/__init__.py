"""The recommended model of posts: candidates, signals, listwise networks."""
