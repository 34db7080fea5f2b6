from tfhashtag.tasks import POSTS, USERS


def task_of(settings):
    return POSTS if settings.model in ("phr", "macon", "post_rule") else USERS


def contract(recommender, run):
    task = task_of(run.settings)
    if task is POSTS:
        recommender.rank = lambda q: q.ranking(recommender.score(q.posts))

        def explain(post):
            from tfhashtag.recommenders.phr.explanation import explain_post

            return explain_post(run.folder, post)
    else:
        import numpy as np

        recommender.rank = lambda q: q.ranking(np.asarray(recommender.score(q.episode), np.float32))

        def explain(user, hashtag):
            from tfhashtag.recommenders.engagement.explanation import explain_engagement

            return explain_engagement(run.folder, user, hashtag)

    recommender.explain = explain
    return recommender
