"""What is asked: of users, who will tag what; of posts, which hashtags they need."""
