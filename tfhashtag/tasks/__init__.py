"""What is asked: of users, who will tag what; of posts, which hashtags they need."""

from tfhashtag.tasks.base import Queries, Question, Ranking, Task
from tfhashtag.tasks.posts.task import POSTS, PostQueries, PostQuestion
from tfhashtag.tasks.users.task import USERS, UserQueries, UserQuestion

TASKS = {task.name: task for task in (USERS, POSTS)}

__all__ = [
    "POSTS",
    "TASKS",
    "USERS",
    "PostQueries",
    "PostQuestion",
    "Queries",
    "Question",
    "Ranking",
    "Task",
    "UserQueries",
    "UserQuestion",
]
