"""Models of posts: which hashtags does this post need?"""
