"""What speaks for each candidate of a post: one implementation for training, answers and export."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.encoders.raw_strings import HashtagIndex
from tfhashtag.layers.word_ids import words_of
from tfhashtag.recommenders.post_ranker.every_hashtag import EveryHashtag
from tfhashtag.recommenders.post_ranker.tables import Moment
from tfhashtag.recommenders.post_ranker.time_signals import TIMES, own_hours, time_signals
from tfhashtag.retrieval.graph_hashtag_times import GraphHashtagTimes
from tfhashtag.retrieval.shared_tables import constant
from tfhashtag.retrieval.sources import (
    CandidateRows,
    CandidateSource,
    Pairs,
    best,
    pairs_of,
    retrieve,
    summed,
)

NAME_WORDS = 3  # consecutive words of a text that may make up a hashtag
DECAY = 0.85  # of an own hashtag's weight, a post
_OWN_TEMPERATURE = 0.1
_SHARP, _BROAD = 0.05, 0.15  # temperatures of others' similar posts
_FAR = 200.0  # posts since a hashtag that the user never used
_LIKELY = 5  # hashtags that the classifier makes likely, whose companions count
State = dict[str, Any]

HISTORY = (
    "own_count",
    "own_share",
    "own_decayed",
    "own_last_3",
    "own_last_10",
    "own_since",
    "together_sum",
    "together_max",
    "beside_likely",
    "factors",
)
WORDS = ("word_sum", "word_max", "named", "name_cosine")
ABOUT = ("popularity", "recent", "recent_ratio", "users")
QUERY = ("history", "words")
OF_KIND = (
    "own_similar",
    "own_similar_sum",
    "own_closest",
    "others_sharp",
    "others_broad",
    "others_taste",
    "others_first_20",
    "others_first_100",
    "others_closest",
    "message_cosine",
    "classifier",
    "classifier_distance",
    "user_classifier",
    "user_classifier_distance",
    "user_cosine",
)
QUERY_OF_KIND = ("best_own", "best_other")
RANKED = ("own_decayed", "factors", "together_sum", "word_sum")
RANKED_OF_KIND = ("others_sharp", "user_classifier", "message_cosine")


def signal_names(kinds: Sequence[str], timed: bool = False) -> list[str]:
    """The signals in their order, for `text` or for `text` and `picture`, with those of time."""
    names = [*HISTORY, *WORDS, *ABOUT, *QUERY, *(TIMES if timed else ())]
    for kind in kinds:
        names += [f"{kind}_{name}" for name in (*OF_KIND, *QUERY_OF_KIND)]
    names += [f"{name}_rank" for name in RANKED]
    return names + [f"{kind}_{name}_rank" for kind in kinds for name in RANKED_OF_KIND]


class PostSignals(tf.Module):
    """Candidates of posts and their signals, from the tables of a moment.

    A query is a dictionary: `texts` string `[B]`; `tokens` int32 `[B, W]`; `users` int32 `[B]`, the
    number of users for somebody unknown; `times` int64 `[B]`, from which on a known post is none;
    and of each kind `K` of vectors `K` float32 `[B, d]`, zeros for none, `K_near` int32
    `[B, n]`, places of the most similar known posts by others, -1 pads, and `K_similarity`. Where
    the moment is read, `moments` int64 `[B]`, when each is written.

    Args:
        moment: what is known.
        names: of the hashtags that are ranked, as they are written.
        width: hashtags that the widest sources name.
    """

    def __init__(self, moment: Moment, names: Sequence[str], width: int) -> None:
        super().__init__(name="post_signals")
        self.width, self.count = width, len(names)
        self.kinds = tuple(moment.kinds)
        self.uses = None if moment.uses is None else GraphHashtagTimes(moment.uses)
        self.signals = signal_names(self.kinds, self.uses is not None)
        self.nobody = len(moment.users)
        self.tables = {
            name: constant(name, getattr(moment, name))
            for name in (
                "user_of_post", "time_of_post", "labels_of_post", "history", "taste",
                "user_factors", "label_factors", "together", "together_weight", "beside",
                "beside_weight", "word_labels", "word_weight", "word_lift", "names", "about",
            )
        }  # fmt: skip
        self.every = EveryHashtag(moment, width // 4 + 1)
        for kind, vectors in moment.kinds.items():
            for name, table in vars(vectors).items():
                self.tables[f"{kind}_{name}"] = constant(f"{kind}_{name}", table)
        self.named = HashtagIndex(names)
        self.sources = self._sources()

    def trackables(self) -> list[Any]:
        """What a SavedModel must hold."""
        uses = [] if self.uses is None else self.uses.trackables()
        return [*self.tables.values(), self.named, *uses, *self.every.trackables()]

    def __call__(self, query: State) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Signals of the candidates, float32 `[c, S]`, and the keys of each source.

        Those of the candidates themselves stand under `all`; see `tfhashtag.retrieval.sources`.
        """
        state = self._state(query)
        found = retrieve(self.sources, state)
        rows = CandidateRows(found["all"], self.count)
        signals = {**self._of_history(state, rows), **self._of_words(state, rows)}
        about = tf.gather(self.table("about"), rows.hashtags)
        signals |= dict(zip(ABOUT, tf.unstack(about, axis=1), strict=True))
        signals |= self._of_query(state, rows)
        if self.uses is not None:
            signals |= time_signals(self.uses, state, rows)
        for kind in self.kinds:
            found_of_kind = self._of_kind(kind, state, rows)
            signals |= {f"{kind}_{name}": value for name, value in found_of_kind.items()}
        ranked = [*RANKED, *(f"{kind}_{name}" for kind in self.kinds for name in RANKED_OF_KIND)]
        for name in ranked:
            place = tf.cast(rows.ranks(signals[name]), tf.float32)
            signals[f"{name}_rank"] = tf.math.log1p(place)
        features = tf.stack([signals[name] for name in self.signals], axis=1)
        return features, found

    def embedding(self, query: State) -> tf.Tensor:
        """A post and who writes it: unit vectors, their user's means, and the user's taste."""
        users = query["users"]
        parts = [tf.math.l2_normalize(query[kind], axis=1) for kind in self.kinds]
        parts += [tf.gather(self.table(f"{kind}_users"), users) for kind in self.kinds]
        return tf.concat([*parts, tf.gather(self.table("taste"), users)], axis=1)

    # === Where candidates come from ===

    def _sources(self) -> list[CandidateSource]:
        wide, some, few = self.width, self.width // 2 + 1, self.width // 4 + 1
        about = np.asarray(self.table("about"))
        popular = np.argsort(-about[:, 0], kind="stable")[:few]
        rising = np.argsort(-(about[:, 1] + 2 * about[:, 2]), kind="stable")[:few]

        def likeliest(name: str, limit: int) -> Any:
            return lambda state: self.every.likeliest_keys(state[name], limit)

        def closest(kind: str) -> Any:
            return lambda state: self.every.closest_keys(kind, state[f"{kind}_messages"])

        def strongest(name: str, weight: str, limit: int) -> Any:
            def find(state: State) -> tf.Tensor:
                keys, weights = summed(state[name].keys, state[name].values[weight])
                return best(keys, weights, limit, self.count)

            return find

        def everywhere(labels: np.ndarray) -> Any:
            fixed = tf.constant(labels.astype(np.int32))

            def find(state: State) -> tf.Tensor:
                rows = tf.range(state["queries"])[:, None]
                shape = [state["queries"], len(labels)]
                return pairs_of(rows, tf.broadcast_to(fixed[None], shape), self.count).keys

            return find

        sources = [
            CandidateSource("own", strongest("own", "decayed", wide)),
            CandidateSource("together", strongest("together", "weight", some)),
            CandidateSource("words", strongest("words", "lift", some)),
            CandidateSource("named", strongest("named", "one", some)),
            CandidateSource("popular", everywhere(popular)),
            CandidateSource("rising", everywhere(rising)),
        ]
        for kind in self.kinds:
            sources += [
                CandidateSource(f"{kind}_others", strongest(f"{kind}_others", "sharp", wide)),
                CandidateSource(f"{kind}_classifier", likeliest(f"{kind}_classifier", some)),
                CandidateSource(f"{kind}_user", likeliest(f"{kind}_user_classifier", some)),
                CandidateSource(f"{kind}_messages", closest(kind)),
            ]
        return sources

    # === What is looked up of a query ===

    def table(self, name: str) -> tf.Tensor:
        """A table of the moment, as a tensor."""
        # Gathering from a variable makes TensorFlow copy it whenever it is read as a whole.
        return tf.convert_to_tensor(self.tables[name])

    def _state(self, query: State) -> State:
        users = query["users"]
        state: State = {**query, "queries": tf.shape(users)[0]}
        history = tf.gather(self.table("history"), users)
        times = tf.gather(self.table("time_of_post"), tf.maximum(history, 0))
        known = (history >= 0) & (times < query["times"][:, None])
        history = tf.where(known, history, -1)
        state |= {
            "own_posts": history,
            "own_times": times,
            "size": tf.reduce_sum(tf.cast(known, tf.float32), axis=1),
        }
        for kind in self.kinds:
            state |= self._state_of_kind(kind, state)
        state["own"] = self._own(state)
        state |= self._companions(state)
        state["words"] = self._word_pairs(query["tokens"])
        state["named"] = self._named_pairs(query["texts"])
        return state

    def _state_of_kind(self, kind: str, state: State) -> State:
        vectors = state[kind]
        real = tf.reduce_any(vectors != 0, axis=1)
        vectors = tf.math.l2_normalize(vectors, axis=1)
        posts = state["own_posts"]
        rows = tf.gather(self.table(f"{kind}_row"), tf.maximum(posts, 0))
        own = tf.einsum("bd,bhd->bh", vectors, tf.gather(self.table(f"{kind}_unit"), rows))
        own = tf.where(posts >= 0, own, 0.0)
        filled = tf.where(real[:, None], vectors, self.table(f"{kind}_mean")[None])
        mine = tf.gather(self.table(f"{kind}_users"), self._somebody(state))
        taste = tf.gather(self.table("taste"), self._somebody(state))
        both = tf.concat([filled, mine, taste], axis=1)
        alone = filled @ self.table(f"{kind}_weights") + self.table(f"{kind}_bias")
        together = both @ self.table(f"{kind}_both_weights") + self.table(f"{kind}_both_bias")
        return {
            f"{kind}_own": own,
            f"{kind}_real": real,
            f"{kind}_classifier": self.every.log_chances(alone),
            f"{kind}_user_classifier": self.every.log_chances(together),
            f"{kind}_messages": self.every.cosines(vectors, self.table(f"{kind}_hashtags")),
            f"{kind}_mine": mine,
            f"{kind}_others": self._others(kind, state),
        }

    def _somebody(self, state: State) -> tf.Tensor:
        """Users, nobody known for those without an earlier post."""
        return tf.where(state["size"] > 0, state["users"], self.nobody)

    def _own(self, state: State) -> Pairs:
        """Hashtags of the user's own posts."""
        posts = state["own_posts"]
        known = tf.cast(posts >= 0, tf.float32)
        age = tf.cumsum(known, axis=1, exclusive=True)
        labels = tf.gather(self.table("labels_of_post"), tf.maximum(posts, 0))
        labels = tf.where((posts >= 0)[..., None], labels, -1)
        values = {"age": age, "decayed": tf.pow(DECAY, age)}
        if self.uses is not None:
            values["hours"] = own_hours(self.uses, state)
        for kind in self.kinds:
            similarity = state[f"{kind}_own"]
            values[f"{kind}_similarity"] = similarity
            values[f"{kind}_share"] = _shares(similarity, posts >= 0, _OWN_TEMPERATURE)
        values = {name: value[..., None] for name, value in values.items()}
        queries = tf.range(state["queries"])[:, None, None]
        return pairs_of(queries, labels, self.count, **values)

    def _others(self, kind: str, state: State) -> Pairs:
        """Hashtags of others' similar posts."""
        posts, similarity = state[f"{kind}_near"], state[f"{kind}_similarity"]
        real = posts >= 0
        labels = tf.gather(self.table("labels_of_post"), tf.maximum(posts, 0))
        labels = tf.where(real[..., None], labels, -1)
        authors = tf.gather(self.table("user_of_post"), tf.maximum(posts, 0))
        taste = tf.gather(self.table("taste"), authors)
        mine = tf.gather(self.table("taste"), self._somebody(state))
        liking = tf.maximum(tf.einsum("bk,bnk->bn", mine, taste), 0.0)
        place = tf.broadcast_to(tf.range(tf.shape(posts)[1])[None], tf.shape(posts))
        sharp = _shares(similarity, real, _SHARP)
        values = {
            "similarity": similarity,
            "sharp": sharp,
            "broad": _shares(similarity, real, _BROAD),
            "taste": sharp * liking,
            "first_20": tf.cast(place < 20, tf.float32),
            "first_100": tf.cast(place < 100, tf.float32),
        }
        values = {name: value[..., None] for name, value in values.items()}
        return pairs_of(tf.range(state["queries"])[:, None, None], labels, self.count, **values)

    def _companions(self, state: State) -> State:
        """Hashtags that stand with the user's own and with those that the text makes likely."""
        keys, weights = summed(state["own"].keys, state["own"].values["decayed"])
        labels = tf.cast(keys % self.count, tf.int32)
        queries = tf.cast(keys // self.count, tf.int32)[:, None]
        found = tf.gather(self.table("together"), labels)
        closeness = tf.gather(self.table("together_weight"), labels)
        together = pairs_of(
            queries, found, self.count, weight=closeness * weights[:, None], closeness=closeness
        )
        labels, chances = self.every.likeliest(state["text_user_classifier"], _LIKELY)
        found = tf.gather(self.table("beside"), labels)
        closeness = tf.gather(self.table("beside_weight"), labels)
        weight = tf.exp(chances)[..., None] * closeness
        queries = tf.range(state["queries"])[:, None, None]
        return {
            "together": together,
            "beside": pairs_of(queries, found, self.count, weight=weight),
        }

    def _word_pairs(self, tokens: tf.Tensor) -> Pairs:
        """Hashtags of the words of a text, each word once."""
        words = tf.shape(self.tables["word_labels"])[0]
        queries = tf.range(tf.shape(tokens)[0])[:, None]
        keys = queries * words + tokens
        keys = tf.unique(tf.boolean_mask(keys, tokens > 0)).y
        word = keys % words
        return pairs_of(
            (keys // words)[:, None],
            tf.gather(self.table("word_labels"), word),
            self.count,
            share=tf.gather(self.table("word_weight"), word),
            lift=tf.gather(self.table("word_lift"), word)
            * tf.gather(self.table("word_weight"), word),
        )

    def _named_pairs(self, texts: tf.Tensor) -> Pairs:
        """Hashtags that consecutive words of the text make up."""
        spans = tf.strings.ngrams(words_of(texts), list(range(1, NAME_WORDS + 1)), separator="")
        labels = self.named.of_keys(spans.values)
        rows = tf.cast(spans.value_rowids(), tf.int32)
        return pairs_of(rows, labels, self.count, one=tf.ones_like(labels, tf.float32))

    # === Signals of candidates ===

    def _of_history(self, state: State, rows: CandidateRows) -> State:
        own = state["own"]
        places, age = rows.places(own.keys), own.values["age"]
        sums = rows.sums(
            places,
            tf.stack(
                [
                    tf.ones_like(age),
                    own.values["decayed"],
                    tf.cast(age < 3, tf.float32),
                    tf.cast(age < 10, tf.float32),
                ],
                axis=1,
            ),
        )
        since = -rows.largest(places, -age[:, None], -_FAR)[:, 0]
        size = tf.maximum(tf.gather(state["size"], rows.queries), 1.0)
        pairs = state["together"]
        places = rows.places(pairs.keys)
        users = tf.gather(self._somebody(state), rows.queries)
        left = tf.gather(self.table("user_factors"), users)
        right = tf.gather(self.table("label_factors"), rows.hashtags)
        beside = state["beside"]
        return {
            "own_count": tf.math.log1p(sums[:, 0]),
            "own_share": tf.sqrt(sums[:, 0] / size),
            "own_decayed": sums[:, 1],
            "own_last_3": sums[:, 2],
            "own_last_10": tf.math.log1p(sums[:, 3]),
            "own_since": tf.math.log1p(since),
            "together_sum": tf.math.log1p(rows.sums(places, pairs.values["weight"][:, None])[:, 0]),
            "together_max": rows.largest(places, pairs.values["closeness"][:, None])[:, 0],
            "beside_likely": tf.math.log1p(
                10 * rows.sums(rows.places(beside.keys), beside.values["weight"][:, None])[:, 0]
            ),
            "factors": tf.reduce_sum(left * right, axis=1),
        }

    def _of_words(self, state: State, rows: CandidateRows) -> State:
        words, named = state["words"], state["named"]
        places = rows.places(words.keys)
        names = tf.gather(self.table("names"), rows.hashtags)
        text = tf.math.l2_normalize(state["text"], axis=1)
        return {
            "word_sum": rows.sums(places, words.values["lift"][:, None])[:, 0],
            "word_max": rows.largest(places, words.values["share"][:, None])[:, 0],
            "named": rows.largest(rows.places(named.keys), named.values["one"][:, None])[:, 0],
            "name_cosine": tf.reduce_sum(tf.gather(text, rows.queries) * names, axis=1),
        }

    def _of_query(self, state: State, rows: CandidateRows) -> State:
        words = tf.reduce_sum(tf.cast(state["tokens"] > 0, tf.float32), axis=1)
        return {
            "history": tf.gather(tf.math.log1p(state["size"]), rows.queries),
            "words": tf.gather(tf.math.log1p(words), rows.queries),
        }

    def _of_kind(self, kind: str, state: State, rows: CandidateRows) -> State:
        own, others = state["own"], state[f"{kind}_others"]
        mine, theirs = rows.places(own.keys), rows.places(others.keys)
        similarity = own.values[f"{kind}_similarity"]
        own_sums = rows.sums(
            mine, tf.stack([own.values[f"{kind}_share"], tf.maximum(similarity, 0.0)], axis=1)
        )
        names = ("sharp", "broad", "taste", "first_20", "first_100")
        sums = rows.sums(theirs, tf.stack([others.values[name] for name in names], axis=1))
        means = tf.gather(self.table(f"{kind}_hashtags"), rows.hashtags)
        close = self.every.cosines_of(state[f"{kind}_messages"], rows, means)
        found = {
            "own_similar": tf.math.log1p(10 * own_sums[:, 0]),
            "own_similar_sum": tf.math.log1p(own_sums[:, 1]),
            "own_closest": rows.largest(mine, similarity[:, None])[:, 0],
            "others_closest": rows.largest(theirs, others.values["similarity"][:, None])[:, 0],
            "message_cosine": close,
            "user_cosine": tf.reduce_sum(
                tf.gather(state[f"{kind}_mine"], rows.queries) * means, axis=1
            ),
        }
        for name, value in zip(names, tf.unstack(sums, axis=1), strict=True):
            scale = 10.0 if name in ("sharp", "broad", "taste") else 1.0
            found[f"others_{name}"] = tf.math.log1p(scale * value)
        for name in ("classifier", "user_classifier"):
            chance = state[f"{kind}_{name}"]
            found[name] = self.every.chances_of(chance, rows)
            highest = tf.gather(tf.reduce_max(chance, axis=1), rows.queries)
            found[f"{name}_distance"] = found[name] - highest
        best_own = tf.reduce_max(state[f"{kind}_own"], axis=1)
        found["best_own"] = tf.gather(best_own, rows.queries)
        found["best_other"] = tf.gather(
            tf.reduce_max(state[f"{kind}_similarity"], axis=1), rows.queries
        )
        return found


def _shares(similarity: tf.Tensor, real: tf.Tensor, temperature: float) -> tf.Tensor:
    """Softmax over the real columns, zeros elsewhere and in rows without any."""
    highest = tf.reduce_max(tf.where(real, similarity, -2.0), axis=1, keepdims=True)
    weights = tf.where(real, tf.exp((similarity - highest) / temperature), 0.0)
    return tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=1, keepdims=True))
