"""Models of users behind raw strings: histories in, hashtags and scores out, all in the graph."""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import tensorflow as tf

from tfhashtag.blocks import in_blocks
from tfhashtag.encoders.by_length import by_length
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.encoders.raw_strings import HashtagIndex, split_hashtags
from tfhashtag.encoders.text_encoder import TextEncoder
from tfhashtag.errors import DataError
from tfhashtag.export.signatures import PARTS, Signature
from tfhashtag.export.warmup import WarmUpRequest
from tfhashtag.tasks.answers import zeros_where_not
from tfhashtag.tasks.rising import RisingHashtags
from tfhashtag.tasks.users.episode import Episode, catalogue_episode
from tfhashtag.tasks.users.requests import warm_up_requests
from tfhashtag.tasks.users.signatures import EXPLAIN, SIGNATURES

MOST_MESSAGES = 1 << 14  # of one history, and of one hashtag's contexts
MOST_STRINGS = 1 << 22  # of an input, padding and repeated ones included
MOST_DISTINCT = 1 << 16  # different ones of an input
MOST_HASHTAGS = 1 << 16  # in the messages of one history

_MESSAGES_AT_A_TIME = 1 << 14  # 25 MB of vectors of MiniLM
_USERS_AT_A_TIME = 16
_ROW = 64  # messages; what a hashtag costs besides its messages

LIMITS = (
    "Only hashtags of the catalogue are ranked: those with enough context messages when the model "
    "was exported. `score` gives 0 and `known` false for others; `score_contexts` scores a hashtag "
    "newer than the model from messages that carry it.",
    "Users are known by their history alone. Somebody new, with an empty history, gets finite "
    "scores that are the same for all such users.",
    "Of a history the newest messages are read, as many as training read (`data.history_length`); "
    "the last of a history is the newest.",
    "Empty strings are padding and change nothing. Bytes that are no UTF-8, very long messages and "
    "unseen scripts have finite scores; the text encoder cuts long messages.",
    f"A request holds at most {MOST_STRINGS:,} strings, {MOST_DISTINCT:,} different ones, and of "
    f"one user or hashtag {MOST_MESSAGES:,} messages and {MOST_HASHTAGS:,} hashtags in them; a "
    "larger one is refused.",
    "Scores are in (0, 1) and rank the hashtags of one user. Those of `engagement` are calibrated "
    "on the candidates of its training; those of other models are no probabilities.",
    "A model knows the language and topics of its data and repeats their biases.",
)

State = dict[str, Any]


class ServingHead(Protocol):
    """What a model of users offers: scores from vectors and ids, for one catalogue."""

    def user_state(self, vectors: tf.Tensor, mask: tf.Tensor, hashtags: tf.Tensor) -> State:
        """A user from history vectors `[B, H, d]`, mask `[B, H]`, known hashtags `[B, T]` (-1)."""

    def ranked(self, state: State, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Hashtags to choose the best `k` from, and their logits, float32 `[B, C]`.

        They are int32 `[B, C]` places in the catalogue; `C` is at least `k`, where it has as many.
        """

    def logits_of(self, state: State, places: tf.Tensor) -> tf.Tensor:
        """Logits `[B, C]` of hashtags by their places in the catalogue."""

    def context_state(self, state: State) -> State:
        """A state that `context_logits` can read: worked out once for all contexts of users."""

    def context_logits(
        self, state: State, texts: tf.Tensor, vectors: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits `[B, C]` and attention `[B, C, M]` for contexts that the request brings."""

    def embedding(self, state: State) -> tf.Tensor:
        """The user embedding `[B, e]`."""

    def limits(self) -> tuple[str, ...]:
        """What its model card says besides `LIMITS`."""

    def trackables(self) -> list[Any]:
        """Variables, tables and models that the functions above use."""


@runtime_checkable
class Explains(Protocol):
    """A serving head that can say why."""

    def explain(self, state: State, places: tf.Tensor) -> dict[str, tf.Tensor]:
        """`PARTS` but `known`, of a hashtag a user, int32 `[B]` places in the catalogue."""


class _Messages(NamedTuple):
    """The different strings of an input, read once.

    Attributes:
        place: int32, of the input's shape: which of the strings each is.
        is_message: bool `[D]`, false for the padding.
        texts: string `[D]`, without hashtags.
        row: int32 `[D]`, the row of `vectors` of each.
        vectors: float32 `[E, d]`, of the different texts.
        hashtags: ragged int32 `[D, None]`, -1 for unknown ones.
    """

    place: tf.Tensor
    is_message: tf.Tensor
    texts: tf.Tensor
    row: tf.Tensor
    vectors: tf.Tensor
    hashtags: tf.RaggedTensor

    def vectors_at(self, place: tf.Tensor) -> tf.Tensor:
        """Vectors of strings by their places."""
        return tf.gather(self.vectors, tf.gather(self.row, place))


class UsersServable:
    """An encoder and a serving head behind the signatures of models of users.

    One object answers in process and is what an export writes, so both give the same answers.
    `""` pads histories, candidates and contexts; a message may carry its `#hashtags`.

    Different strings are encoded once. Users are answered a few at a time and their contexts a few
    thousand messages at a time, so that memory does not grow with the request, beside its strings
    and its answer.

    Args:
        encoder: of the messages.
        head: the model.
        catalogue: hashtags in the order of the head's logits.
        known_hashtags: hashtags in the order of the ids that `head.user_state` takes.
        k: hashtags in an answer of `serving_default`; at most the size of the catalogue is given.
        history_length: newest messages of a user that are read.
        rising: what rises.
    """

    shapes: Mapping[str, Sequence[int | None]] = {}

    def __init__(
        self,
        encoder: TextEncoder,
        head: ServingHead,
        catalogue: Sequence[str],
        known_hashtags: Sequence[str],
        k: int,
        history_length: int,
        rising: RisingHashtags,
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.k = min(k, len(catalogue))
        self.history_length = history_length
        self.names = tf.Variable(catalogue, trainable=False, dtype=tf.string, name="catalogue")
        self.index = HashtagIndex(catalogue)
        self.known_hashtags = HashtagIndex(known_hashtags)
        self.rising = rising
        self.explains = isinstance(head, Explains)
        # Functions of their own: signatures share them, so each is traced and written once.
        strings, width = tf.TensorSpec([None], tf.string), encoder.width
        self._distinct = tf.function(self._read_distinct, [strings], autograph=False)
        history = [
            tf.TensorSpec([None, None, width]),
            tf.TensorSpec([None, None], tf.bool),
            tf.TensorSpec([None, None], tf.int32),
        ]
        self._state = tf.function(head.user_state, history, autograph=False)
        asked = [tf.TensorSpec([None, None], tf.string), tf.TensorSpec([], tf.int32)]
        self._best = tf.function(self._rank, asked, autograph=False)

    @classmethod
    def of_catalogue(
        cls,
        data: EncodedCorpus,
        minimum_contexts: int,
        history_length: int,
        k: int,
        head_of: Callable[[Episode, np.ndarray], ServingHead],
    ) -> Self:
        """For every hashtag with enough context messages in the corpus, all splits.

        Args:
            data: the corpus that the model was trained on.
            minimum_contexts: how many are enough.
            history_length: messages of a user that the model was trained to read.
            k: hashtags in an answer of `serving_default`.
            head_of: from the moment after all posts and the catalogue, corpus hashtags, to what
                serves them.

        Raises:
            DataError: no hashtag has enough context messages.
        """
        episode = catalogue_episode(data.corpus, minimum_contexts)
        hashtags = episode.catalogue
        if len(hashtags) == 0:
            raise DataError(
                f"corpus {data.corpus.name}: no hashtag has {minimum_contexts} context messages; "
                "there is no catalogue to rank. Lower `data.minimum_contexts`."
            )
        names = [data.corpus.hashtags[hashtag] for hashtag in hashtags]
        head, known = head_of(episode, hashtags), data.corpus.hashtags
        rising = RisingHashtags(data.corpus)
        return cls(data.text_encoder, head, names, known, k, history_length, rising)

    @functools.cached_property
    def limits(self) -> Sequence[str]:
        """What its model card says of what it cannot do."""
        return (*LIMITS, *self.head.limits(), *self.rising.limits)

    @property
    def signatures(self) -> Sequence[Signature]:
        """Those of every model of users, and `explain` where the model says why."""
        return (*SIGNATURES, EXPLAIN) if self.explains else SIGNATURES

    @property
    def requests(self) -> Sequence[WarmUpRequest]:
        """Warm-up requests."""
        return warm_up_requests(self.history_length, self.explains)

    @property
    def memory(self) -> Mapping[str, int]:
        """Measured with MiniLM, whose vectors have 384 numbers, and rounded up.

        No string is padded to the words of the longest one. Of a row nothing is said: it depends
        on the tables of the model, at which the server looks by itself.
        """
        return {
            "value": 20 * self.encoder.width,
            "text": 80,
            "word": 0,
            "hashtag": 5 * 2**9,
            "number": 64,
        }

    def avoid(self, ops: Collection[str]) -> Sequence[str]:
        """Does without none: there is nothing that it could leave out."""
        return ()

    def trackables(self) -> list[Any]:
        """Everything that the SavedModel must hold."""
        return [
            self.names,
            self.index,
            self.known_hashtags,
            *self.encoder.trackables(),
            *self.head.trackables(),
            *self.rising.trackables(),
        ]

    def serving_default(self, history: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `k` best of the catalogue, best first."""
        return self._best(history, tf.constant(self.k, tf.int32))

    def top_k(self, history: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `k` best of the catalogue; `k` is cut to 1 .. its size."""
        return self._best(history, tf.clip_by_value(k, 1, tf.shape(self.names)[0]))

    def score(self, history: tf.Tensor, hashtags: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores of given hashtags; one that the catalogue lacks gets 0 and `known` false."""
        ids = self.index(hashtags)

        def scores(state: State, ids: tf.Tensor) -> tf.Tensor:
            return tf.sigmoid(self.head.logits_of(state, tf.maximum(ids, 0)))

        known = ids >= 0
        spec, width = tf.TensorSpec([None, None]), tf.shape(ids)[1]
        found = self._for_users(history, scores, spec, ids, width=width)
        return {"scores": tf.where(known, found, tf.zeros_like(found)), "known": known}

    def score_contexts(self, history: tf.Tensor, contexts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores of hashtags given by their context messages alone."""
        users, messages = self._read(history=self._newest(history), contexts=contexts)
        width = tf.shape(contexts)[2]

        def scores(state: State, place: tf.Tensor) -> dict[str, tf.Tensor]:
            state = self.head.context_state(state)

            def block(rows: list[tf.Tensor]) -> list[tf.Tensor]:
                chosen = tf.transpose(rows[0], [1, 0, 2])
                logits, attention = self.head.context_logits(
                    state,
                    tf.gather(messages.texts, chosen),
                    messages.vectors_at(chosen),
                    tf.gather(messages.is_message, chosen),
                )
                return [tf.transpose(logits), tf.transpose(attention, [1, 0, 2])]

            users = tf.maximum(tf.shape(place)[0], 1)
            size = _MESSAGES_AT_A_TIME // (users * tf.maximum(width, _ROW))
            specs = [tf.TensorSpec([None, None]), tf.TensorSpec([None, None, None])]
            by_hashtag = tf.transpose(place, [1, 0, 2])
            logits, attention = in_blocks(block, [by_hashtag], tf.maximum(size, 1), specs, beside=1)
            return {
                "scores": tf.sigmoid(tf.transpose(logits)),
                "attention": tf.transpose(attention, [1, 0, 2]),
            }

        specs = {
            "scores": tf.TensorSpec([None, None]),
            "attention": tf.TensorSpec([None, None, None]),
        }
        return self._for_users(users, scores, specs, messages.place, width=width)

    def embed_user(self, history: tf.Tensor) -> dict[str, tf.Tensor]:
        """The user embedding."""
        spec = tf.TensorSpec([None, None])
        return {"embedding": self._for_users(history, self.head.embedding, spec)}

    def explain(self, history: tf.Tensor, hashtag: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signals of a hashtag and what each adds to its logit, the largest parts first."""
        head = self.head
        if not isinstance(head, Explains):
            raise TypeError("This model has no `explain`.")
        ids = self.index(hashtag)
        known = ids >= 0

        def told(state: State, ids: tf.Tensor) -> dict[str, tf.Tensor]:
            return head.explain(state, tf.maximum(ids, 0))

        specs = {
            tensor.name: tf.TensorSpec([None] * tensor.rank, tensor.dtype)
            for tensor in PARTS
            if tensor.name != "known"
        }
        found = self._for_users(history, told, specs, ids)
        return {"known": known, **zeros_where_not(known, found)}

    def trending(self, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """What rises among all hashtags."""
        return self.rising(k)

    def _rank(self, history: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        def best(state: State) -> dict[str, tf.Tensor]:
            places, logits = self.head.ranked(state, k)
            found = tf.math.top_k(logits, tf.minimum(k, tf.shape(logits)[1]))
            best = tf.gather(places, found.indices, batch_dims=1)
            return {"hashtags": best, "scores": tf.sigmoid(found.values)}

        specs = {
            "hashtags": tf.TensorSpec([None, None], tf.int32),
            "scores": tf.TensorSpec([None, None]),
        }
        found = self._for_users(history, best, specs)
        return {**found, "hashtags": tf.gather(self.names, found["hashtags"])}

    def _for_users(
        self,
        history: tf.Tensor | _Messages,
        answer: Callable[..., Any],
        specs: Any,
        *more: tf.Tensor,
        width: tf.Tensor | int = 1,
    ) -> Any:
        """What `answer` gives for users, a few at a time.

        Args:
            history: string `[B, H]`, or what was read of it.
            answer: from the head's state of some users, and their rows of `more`.
            specs: of what it gives.
            more: tensors with a row a user.
            width: messages of a hashtag, or hashtags of a user, in `more`.
        """
        messages = history
        if not isinstance(messages, _Messages):
            (messages,) = self._read(history=self._newest(history))
        tags = tf.gather(messages.hashtags.row_lengths(), messages.place)
        tags = tf.cast(tf.reduce_max(tf.reduce_sum(tags, axis=1)), tf.int32)

        def block(rows: list[tf.Tensor]) -> Any:
            place, *others = rows
            state = self._state(
                messages.vectors_at(place),
                tf.gather(messages.is_message, place),
                tf.gather(messages.hashtags, place).merge_dims(1, 2).to_tensor(-1),
            )
            return answer(state, *others)

        longest = tf.maximum(tf.maximum(tf.shape(messages.place)[1], width), tags)
        size = tf.clip_by_value(_MESSAGES_AT_A_TIME // longest, 1, _USERS_AT_A_TIME)
        with _checked("history", (tags, MOST_HASHTAGS, "hashtags in messages of one user")):
            size = tf.identity(size)
        return in_blocks(block, [messages.place, *more], size, specs, beside=1)

    def _newest(self, history: tf.Tensor) -> tf.Tensor:
        """What training reads of a user: the last `history_length` messages, padding behind."""
        with _counted(history, "history"):
            messages = tf.ragged.boolean_mask(history, history != "")
        newest = messages[:, -self.history_length :].to_tensor("")
        missing = tf.maximum(1 - tf.shape(newest)[1], 0)  # a history of width 0 is an empty one
        return tf.pad(newest, [[0, 0], [0, missing]], constant_values="")

    def _read(self, **inputs: tf.Tensor) -> list[_Messages]:
        """Encodes what is different among the strings `[..., M]` of inputs, by their names.

        Before it there is a look at the numbers of each; all are encoded together.
        """
        distinct, places, start = [], [], tf.constant(0)
        for name, strings in inputs.items():
            with _counted(strings, name):
                different, place = tf.unique(tf.reshape(strings, [-1]))
            with _checked(name, (tf.size(different), MOST_DISTINCT, "different strings")):
                distinct.append(tf.identity(different))
            places.append(tf.reshape(place + start, tf.shape(strings)))
            start += tf.size(different)
        every = tf.concat(distinct, axis=0)
        read = every != "", *self._distinct(every)
        return [_Messages(place, *read) for place in places]

    def _read_distinct(self, strings: tf.Tensor) -> tuple[Any, ...]:
        """`texts`, `row`, `vectors` and `hashtags` of `_Messages`, of different strings."""
        texts, hashtags = split_hashtags(strings, self.known_hashtags)
        different, row = tf.unique(texts)
        vectors = by_length(self.encoder, different)
        return texts, row, vectors, tf.ragged.map_flat_values(self.known_hashtags, hashtags)


def _counted(strings: tf.Tensor, name: str) -> Any:
    """`_checked` of how many strings `[..., M]` there are."""
    return _checked(
        name,
        (tf.size(strings), MOST_STRINGS, "strings"),
        (tf.shape(strings)[-1], MOST_MESSAGES, "messages of one user or hashtag"),
    )


def _checked(name: str, *limits: tuple[tf.Tensor, int, str]) -> Any:
    """A context whose operations wait until (number, most, of what) are found to be right."""
    checks = []
    for found, most, what in limits:
        words = f"`{name}` holds more than {most} {what}; send less at a time. Found:"
        checks.append(tf.debugging.Assert(found <= most, [words, found]))
    return tf.control_dependencies([check for check in checks if check is not None])
