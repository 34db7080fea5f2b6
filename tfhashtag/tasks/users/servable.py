"""Engagement models as SavedModels: raw strings in, hashtags and scores out, all in the graph."""

import os
import pathlib
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfhashtag.encoders.blocks import by_length
from tfhashtag.encoders.raw_strings import hashtag_table, split_hashtags
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.recommenders.audience.settings import AudienceData, AudienceSettings
from tfhashtag.recommenders.engagement.settings import EngagementData, EngagementSettings
from tfhashtag.runs.run import Run
from tfhashtag.tasks.users.task import history_strings

_LIMITS = (
    "Only hashtags of the catalogue are ranked: those with enough context messages when the model "
    "was exported. `score` gives 0 and `known` false for others; `score_contexts` scores a hashtag "
    "newer than the model from messages that carry it.",
    "Users are known by their history alone. Somebody new, with an empty history, gets finite "
    "scores that are the same for all such users.",
    "Empty strings are padding and change nothing. Bytes that are no UTF-8, very long messages and "
    "unseen scripts have finite scores; the text encoder cuts long messages.",
    "Scores are in (0, 1) and rank the hashtags of one user; they are not calibrated "
    "probabilities.",
    "A model knows the language and topics of its data and repeats their biases.",
)


class ServingHead(Protocol):
    """What a model offers to its export: scores from vectors and ids, for one catalogue."""

    def user_state(self, vectors, mask, hashtags) -> dict[str, tf.Tensor]:
        """A user from history vectors `[B, H, d]`, mask `[B, H]`, known hashtags `[B, T]` (-1)."""

    def catalogue_logits(self, state) -> tf.Tensor:
        """Logits `[B, N]` of the whole catalogue."""

    def context_logits(self, state, texts, vectors, mask) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits `[B, C]` and attention `[B, C, M]` for contexts that the request brings."""

    def embedding(self, state) -> tf.Tensor:
        """The user embedding `[B, e]`."""

    def trackables(self) -> list[Any]:
        """Variables, tables and models that the functions above use."""


class RawStringModel:
    """An encoder and a serving head behind the signatures of the engagement export.

    One object answers `recommend` in process and is what `export` writes, so both give the same
    answers. `""` pads histories, candidates and contexts; a message may carry its `#hashtags`.

    Args:
        encoder: a `TextEncoder`.
        head: the model's `ServingHead`.
        catalogue: hashtags in the order of the head's logits.
        known_hashtags: hashtags in the order of the ids that `head.user_state` takes.
        k: hashtags in an answer of `serving_default`; at most the size of the catalogue is given.
    """

    def __init__(self, encoder, head: ServingHead, catalogue: list[str], known_hashtags, k: int):
        self.encoder = encoder
        self.head = head
        self.k = min(k, len(catalogue))
        self.names = tf.Variable(catalogue, trainable=False, dtype=tf.string, name="catalogue")
        self.index = hashtag_table(catalogue)
        self.known_hashtags = hashtag_table(known_hashtags)

    def trackables(self) -> list[Any]:
        """Everything that the SavedModel must hold."""
        return [
            self.names,
            self.index,
            self.known_hashtags,
            *self.encoder.trackables(),
            *self.head.trackables(),
        ]

    def serving_default(self, history):
        """The `k` best of the catalogue, best first."""
        return self._best(history, tf.constant(self.k, tf.int32))

    def top_k(self, history, k):
        """The `k` best of the catalogue; `k` is cut to 1 .. its size."""
        return self._best(history, tf.clip_by_value(k, 1, tf.shape(self.names)[0]))

    def score(self, history, hashtags):
        """Scores of given hashtags; one that the catalogue lacks gets 0 and `known` false."""
        logits = self.head.catalogue_logits(self._user(history))
        ids = self.index.lookup(hashtags)
        known = ids >= 0
        scores = tf.sigmoid(tf.gather(logits, tf.maximum(ids, 0), batch_dims=1))
        return {"scores": tf.where(known, scores, tf.zeros_like(scores)), "known": known}

    def score_contexts(self, history, contexts):
        """Scores of hashtags given by their context messages alone."""
        shape = tf.shape(contexts)
        texts, _ = split_hashtags(tf.reshape(contexts, [-1]))
        vectors = tf.reshape(self._encode(texts), tf.concat([shape, [self.encoder.width]], 0))
        logits, attention = self.head.context_logits(
            self._user(history), tf.reshape(texts, shape), vectors, contexts != ""
        )
        return {"scores": tf.sigmoid(logits), "attention": attention}

    def embed_user(self, history):
        """The user embedding."""
        return {"embedding": self.head.embedding(self._user(history))}

    def _best(self, history, k):
        logits = self.head.catalogue_logits(self._user(history))
        best = tf.math.top_k(logits, k)
        return {
            "hashtags": tf.gather(self.names, best.indices),
            "scores": tf.sigmoid(best.values),
        }

    def _user(self, history):
        missing = tf.maximum(1 - tf.shape(history)[1], 0)  # a history of width 0 is an empty one
        history = tf.pad(history, [[0, 0], [0, missing]], constant_values="")
        shape = tf.shape(history)
        texts, hashtags = split_hashtags(tf.reshape(history, [-1]))
        vectors = tf.reshape(self._encode(texts), tf.concat([shape, [self.encoder.width]], 0))
        ids = tf.ragged.map_flat_values(self.known_hashtags.lookup, hashtags)
        by_user = tf.RaggedTensor.from_uniform_row_length(ids, tf.cast(shape[1], tf.int64))
        hashtags_of_user = by_user.merge_dims(1, 2).to_tensor(-1)
        return self.head.user_state(vectors, history != "", hashtags_of_user)

    def _encode(self, texts):
        distinct, place = tf.unique(texts)  # padding and repeated messages are encoded once
        return tf.gather(by_length(self.encoder, distinct), place)


def raw_string_model(run: Run, k: int = 50) -> RawStringModel:
    """The trained model of a run behind the export's signatures, over the run's whole catalogue.

    The catalogue is every hashtag with enough context messages in the corpus, all splits.
    """
    from tfhashtag.encoders import load_text_encoder
    from tfhashtag.tasks.users.episode import catalogue_episode

    data = _exported_data(run)
    episode = catalogue_episode(run.corpus, data.minimum_contexts)
    hashtags = episode.catalogue
    if len(hashtags) == 0:
        raise DataError(
            f"{run.folder}: no hashtag has {data.minimum_contexts} context messages; "
            "there is no catalogue to rank."
        )
    head = serving_head(run.load_recommender(), episode, hashtags)
    names = [run.corpus.hashtags[hashtag] for hashtag in hashtags]
    encoder = load_text_encoder(run.settings.text_encoder)
    return RawStringModel(encoder, head, names, run.corpus.hashtags, k)


def _exported_data(run: Run) -> EngagementData | AudienceData:
    """The data settings of a run that can be exported.

    Raises:
        ConfigError: its model has no form that serves.
    """
    if isinstance(run.settings, EngagementSettings | AudienceSettings):
        return run.settings.data
    raise ConfigError(
        f"{run.folder}: `model` is {run.settings.model}, which can be evaluated but not exported; "
        "export a run of `engagement` or `audience`, or of a model of posts."
    )


def serving_head(recommender, episode, hashtags: np.ndarray) -> ServingHead:
    """The head that serves this kind of recommender for the given hashtags of an episode."""
    if recommender.settings.model == "audience":
        from tfhashtag.recommenders.audience.servable import AudienceServingHead

        return AudienceServingHead(recommender.model, recommender.audience(episode))

    from tfhashtag.recommenders.engagement.servable import EngagementServingHead

    contexts = recommender.contexts(episode, hashtags)
    return EngagementServingHead(
        recommender.model,
        recommender.vocabulary,
        contexts,
        recommender.vectors,
        recommender.words.bags(contexts),
        recommender.scale,
    )


def recommend(
    run_folder: str | os.PathLike,
    *,
    user: str | None = None,
    history: list[str] | None = None,
    k: int = 10,
    new_only: bool = False,
) -> list[dict[str, Any]]:
    """The best hashtags for a user of the corpus, or for a given history.

    Args:
        run_folder: a complete run.
        user: a user id of the corpus; the newest messages of all its splits are the history.
        history: messages, oldest first, that may carry their `#hashtags`; instead of `user`.
        k: how many, at least 1.
        new_only: leave out the hashtags that the history holds.

    Returns:
        `[{"hashtag": str, "score": float in (0, 1)}, ...]`, best first.

    Raises:
        DataError: the user is not in the corpus.
        ArtifactError: the run is not complete.
    """
    run = Run.open(run_folder)
    if user is not None:
        import difflib

        corpus = run.corpus
        if user not in corpus.users:
            near = difflib.get_close_matches(user, corpus.users, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(
                f"{run.folder}: no user {user!r} in the corpus.{hint} For somebody new give "
                "`--history` instead."
            )
        index = corpus.users.index(user)
        posts = np.flatnonzero(corpus.user_of_post == index)
        history = history_strings(corpus, index, posts[-_exported_data(run).history_length :])
    history = [text for text in history or [] if text.strip()]
    model = raw_string_model(run, k)
    batch = tf.constant([history or [""]])
    answer = tf.function(model.top_k, autograph=False)(batch, tf.shape(model.names)[0])
    used = set()
    if new_only:
        _, tags = split_hashtags(tf.constant(history or [""]))
        used = {tag.decode() for row in tags.to_list() for tag in row}
    ranked = [
        {"hashtag": hashtag.decode(), "score": float(score)}
        for hashtag, score in zip(
            answer["hashtags"][0].numpy(), answer["scores"][0].numpy(), strict=True
        )
    ]
    return [row for row in ranked if row["hashtag"] not in used][:k]


def export_engagement(
    run_folder: str | os.PathLike,
    out: str | os.PathLike,
    *,
    k: int = 50,
    check: bool = True,
    warm_up: str = "all",
) -> pathlib.Path:
    """Writes a run as the next version folder under `out`, whole or not at all.

    Args:
        run_folder: a complete run.
        out: the model's folder; versions are its numbered subfolders.
        k: hashtags in an answer of `serving_default`.
        check: load it in a bare process, allow only ops that TensorFlow Serving registers, answer
            its warm-up requests there.
        warm_up: `all` or `batchable`, see `export_saved_model`.

    Raises:
        ArtifactError: the run is incomplete, or the written model fails its check.
    """
    from tfhashtag.export.saved_model import export_saved_model
    from tfhashtag.export.signatures import ENGAGEMENT
    from tfhashtag.export.warmup import user_requests

    run = Run.open(run_folder)
    return export_saved_model(
        run,
        raw_string_model(run, k),
        ENGAGEMENT,
        user_requests(_exported_data(run).history_length),
        _LIMITS,
        out,
        warm_up=warm_up,
        check=check,
    )
