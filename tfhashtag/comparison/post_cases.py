"""What a trained PHR looked at, for Figures 6 and 8, and what it predicts, for Figure 10."""

import dataclasses
import pathlib

import numpy as np

from tfhashtag.comparison.post_task import PostTask
from tfhashtag.evaluation.post_metrics import rank_labels
from tfhashtag.retrieval.similar_hashtags import similar_hashtags
from tfhashtag.tasks.posts.inputs import PostInputs

SIDE_LETTERS = {"visual": "V", "textual": "T", "own": "U", "others": "O"}
SIDE_NAMES = {
    "visual": "picture",
    "textual": "text",
    "own": "own posts",
    "others": "others' posts",
}
_TOP = 9


@dataclasses.dataclass(frozen=True)
class SimilarRow:
    """A similar post of a heat map.

    Attributes:
        post: corpus post.
        attention: its weight.
        correlation: float `[hashtags]`, its row of Q.
    """

    post: int
    attention: float
    correlation: np.ndarray


@dataclasses.dataclass(frozen=True)
class PostTagCase:
    """Figure 6 for one post: post-tag attention over its similar posts.

    Attributes:
        post: corpus post.
        side: `"own"` or `"others"`.
        hashtags: names, the columns.
        rows: similar posts, most similar first.
    """

    post: int
    side: str
    hashtags: list[str]
    rows: list[SimilarRow]


@dataclasses.dataclass(frozen=True)
class PairMap:
    """Figure 8 for one pair of sides and one direction.

    Attributes:
        name: such as `"T,V"`.
        about: in words.
        weights: float `[posts, m]`, a row a post, each row a distribution.
    """

    name: str
    about: str
    weights: np.ndarray


@dataclasses.dataclass(frozen=True)
class CoAttentionCase:
    """Figure 8: co-attention of some users' posts.

    Attributes:
        posts: corpus posts, the rows.
        users: name of the user of each, equal ones together.
        maps: two for each pair.
    """

    posts: list[int]
    users: list[str]
    maps: list[PairMap]


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Figure 10 for one post.

    Attributes:
        post: corpus post.
        predicted: (hashtag, whether the post has it), best first.
        true: (hashtag, whether it was predicted, whether it is a label at all).
    """

    post: int
    predicted: list[tuple[str, bool]]
    true: list[tuple[str, bool, bool]]


@dataclasses.dataclass(frozen=True)
class PostCases:
    """All case studies of one run.

    Attributes:
        post_tag: Figure 6; empty where the model has no post-tag attention.
        co_attention: Figure 8, or None where the model has no co-attention.
        predictions: Figure 10.
    """

    post_tag: list[PostTagCase]
    co_attention: CoAttentionCase | None
    predictions: list[Prediction]


def post_cases(
    run_folder: pathlib.Path,
    task: PostTask,
    examples: int = 12,
    users: int = 3,
    posts_a_user: int = 5,
    seed: int = 0,
) -> PostCases:
    """Loads a run of PHR and looks into it.

    The examples of Figure 10 are drawn by lot among the test posts, not chosen for their success;
    those of Figures 6 and 8 are of the users with most test posts, who have something to show.

    Args:
        run_folder: a complete run of `model: phr`.
        task: the posts.
        examples: how many posts of Figure 10.
        users, posts_a_user: of Figure 8.
        seed: of the lot.
    """
    import keras

    from tfhashtag.runs.run import Run

    keras.backend.clear_session()
    recommender = Run.open(run_folder).recommender
    busy = _busy_users(task, users, posts_a_user)
    found = _looked_at(recommender, np.array([post for posts in busy for post in posts]))
    post_tag = []
    firsts = np.cumsum([0, *(len(posts) for posts in busy)])[:-1]
    for first in firsts[:2]:
        for side in ("own", "others"):
            case = found.post_tag(side, int(first))
            if case is not None:
                post_tag.append(case)
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.choice(task.posts, min(examples, len(task.posts)), replace=False))
    return PostCases(post_tag, found.co_attention(), _predictions(recommender, task, drawn))


def _busy_users(task: PostTask, users: int, count: int) -> list[np.ndarray]:
    """The latest test posts of the users who have most."""
    user = task.corpus.user_of_post[task.posts]
    names, sizes = np.unique(user, return_counts=True)
    chosen = names[np.argsort(-sizes, kind="stable")][:users]
    return [task.posts[user == name][-count:] for name in chosen]


class _Looked:
    """Inputs and attention of some posts."""

    def __init__(self, recommender, inputs: PostInputs, batch: dict, found: dict):
        self.model, self.inputs, self.batch, self.found = recommender.model, inputs, batch, found
        self.corpus, self.data = recommender.corpus, recommender.settings.data

    def post_tag(self, side: str, row: int) -> PostTagCase | None:
        """Figure 6 for one of the posts; None where there is nothing to see."""
        if f"{side}_attention" not in self.found or self.inputs.similar is None:
            return None
        similar = getattr(self.inputs.similar, side)
        count = self.data.own_hashtags if side == "own" else self.data.other_hashtags
        place = slice(row, row + 1)
        hashtags = similar_hashtags(self.corpus, self.inputs.posts[place], similar[place], count)[0]
        real = hashtags >= 0
        if not real.any() or not (similar[row] >= 0).any():
            return None
        correlation = self._correlation(side)[row][:, real]
        rows = [
            SimilarRow(int(post), float(self.found[f"{side}_attention"][row, at]), correlation[at])
            for at, post in enumerate(similar[row])
            if post >= 0
        ]
        names = [self.corpus.hashtags[hashtag] for hashtag in hashtags[real]]
        return PostTagCase(int(self.inputs.posts[row]), side, names, rows)

    def _correlation(self, side: str) -> np.ndarray:
        """Q of equation (14), float `[B, posts, hashtags]`."""
        layer = self.model.sides[side].attention
        return np.asarray(
            layer.correlation(self.batch[f"{side}_posts"], self.batch[f"{side}_hashtags"])
        )

    def co_attention(self) -> CoAttentionCase | None:
        """Figure 8 over all the posts."""
        if "co_attention" not in self.found:
            return None
        maps = []
        for at, (first, second) in enumerate(self.model.pairs):
            for direction, (one, other) in enumerate(((first, second), (second, first))):
                maps.append(
                    PairMap(
                        f"{SIDE_LETTERS[one]},{SIDE_LETTERS[other]}",
                        f"{SIDE_NAMES[one]} and {SIDE_NAMES[other]}, equation ({15 + direction})",
                        self.found["co_attention"][:, at, direction].astype(np.float64),
                    )
                )
        posts = [int(post) for post in self.inputs.posts]
        users = [self.corpus.users[self.corpus.user_of_post[post]] for post in posts]
        return CoAttentionCase(posts, users, maps)


def _looked_at(recommender, posts: np.ndarray) -> _Looked:
    inputs = PostInputs(
        recommender.corpus,
        recommender.labels,
        recommender.tables,
        posts,
        recommender.settings.data,
        parts=recommender.parts,
    )
    batch = inputs.batch(np.arange(len(posts)))
    found = {
        name: np.asarray(values)
        for name, values in recommender.model.represent(batch).items()
        if name.endswith("attention")
    }
    return _Looked(recommender, inputs, batch, found)


def _predictions(recommender, task: PostTask, posts: np.ndarray) -> list[Prediction]:
    corpus, labels = task.corpus, task.labels
    ranked = rank_labels(recommender.score_posts(posts), _TOP, posts=posts)
    is_label = np.zeros(len(corpus.hashtags), bool)
    is_label[labels.hashtags] = True
    predictions = []
    for post, best in zip(posts, labels.hashtags[ranked], strict=True):
        true = corpus.hashtags_of_post(post)
        has, said = set(true.tolist()), set(best.tolist())
        predictions.append(
            Prediction(
                int(post),
                [(corpus.hashtags[tag], tag in has) for tag in best.tolist()],
                [(corpus.hashtags[tag], tag in said, bool(is_label[tag])) for tag in true.tolist()],
            )
        )
    return predictions
