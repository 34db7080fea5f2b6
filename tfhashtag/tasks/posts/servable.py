"""Models of posts behind raw strings: texts, pictures and users in, hashtags and scores out."""

import copy
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import tensorflow as tf

from tfhashtag.encoders.by_length import by_length
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.encoders.image_decoding import WEBP_OP
from tfhashtag.encoders.image_encoder import ImageEncoder
from tfhashtag.encoders.raw_strings import MOST_BYTES, HashtagIndex, UserTable
from tfhashtag.encoders.text_encoder import TextEncoder
from tfhashtag.export.signatures import Signature
from tfhashtag.export.warmup import WarmUpRequest
from tfhashtag.layers import WordIds
from tfhashtag.tasks.answers import zeros_where_not
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.posts.requests import warm_up_requests
from tfhashtag.tasks.posts.signatures import EXPLAIN, SIGNATURES
from tfhashtag.tasks.rising import RisingHashtags

# What Python's `str.strip` takes off: a text of nothing else is no text.
_BLANK = "[\t-\r\x1c-\x20\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"

LIMITS = (
    "Only the labels of the training are ranked: hashtags that the train posts carry often enough. "
    "No other hashtag is ever answered.",
    "A user who is empty or unknown has no history; the answer comes from text and picture alone.",
    "An empty picture, a broken or unknown file and one beyond the size limit are no picture; "
    "without any the answer comes from text and user. The order of pictures is of no account; of "
    "more than the training read (`network.pictures`) the first are read. A model without an image "
    "encoder reads no pictures. A clip is no picture: send frames of it.",
    "A text without a visible character is no text. Bytes that are no UTF-8 count as U+FFFD. Of a "
    "text longer than 64 KiB the rest is left out.",
    "A post with nothing at all gets what the model learned for such posts. No input gives NaN.",
    "Scores are shares of a softmax over all labels; they rank, and are not calibrated.",
    "The model holds vectors of the train posts and keyed hashes of their users' names: no text "
    "and no name, but who has its files can ask whether a name is among them.",
    "A model knows the language and topics of its data and repeats their biases.",
)


Answer = dict[str, tf.Tensor]


class PostContext(Protocol):
    """Adds to a post what the model reads of the train posts around it.

    Attributes:
        users: those who have train posts.
        cell: numbers that the model works out of each cell of a picture, beside the cell itself.
        padded: posts whose pictures are padded to as many as the post that is asked about has.
    """

    users: list[str]
    cell: int
    padded: int

    def __call__(self, post: Answer, texts: tf.Tensor, users: tf.Tensor) -> Answer:
        """The inputs of the model.

        Args:
            post: `tokens`, `text`, `has_text`, and with images `proposals`, `has_image` and
                `image_mask`, see `PostTables.pictures_of`.
            texts: string `[B]`.
            users: int32 `[B]`, places in `users`, -1 for anybody else.
        """

    def trackables(self) -> list[Any]:
        """What the SavedModel must hold."""


@runtime_checkable
class Explains(Protocol):
    """A model that can say why."""

    def explain(self, query: Answer, labels: tf.Tensor) -> Answer:
        """What `EXPLAIN` gives, of a label a post, int32 `[B]`, -1 for one that is none.

        `similar` are the labels of the posts, int32 `[B, N, W]`, -1 pads.
        """


class PostsServable:
    """A model with everything that it looks up, behind the signatures of models of posts.

    One object answers in process and is what an export writes, so both give the same answers, and
    for a post of the corpus that is no train post those of the recommender's `score`.
    A post is asked about at a moment after all train posts. Where a corpus has timestamps and a
    test post older than some train posts, evaluation hides those from it; an export does not.

    Answers that are defined: a text without a visible character is no text; a picture that cannot
    be decoded (or `""`) is no picture; a user without train posts, `""` or unknown, has no history.
    A post with nothing at all gets what the model learned for such posts. Bytes that are no UTF-8
    count as U+FFFD. `#hashtags` in a text are words like any others.

    Size: for every 100,000 train posts with distinct texts, in float32, with g the width of the
    text encoder, f the features, m proposals of width a:

    - texts 0.4 g MB (154 at g = 384), pictures 0.4 a MB (819 at a = 2048; with images only);
    - the graph 0.4 f MB for each relation or hop and as much again for each relation (120 each at
      f = 300; none without a graph);
    - hashtags and labels about 4 MB, and in float16 2 g bytes a hashtag of the train posts;
    - with `residual` 4 g bytes a user, with `own_side: hashtags` 4 gamma bytes a user;
    - MaCon holds none of these but each user's newest posts: 4 m a bytes a picture (74 kB at m = 9,
      a = 2048) and 160 + 192 bytes of words and labels.

    21,226 train posts of Twitter with 2,571 users and 16,487 hashtags, g = 384, under `phr.yaml`:
    48 MB, which is 227 MB for 100,000 such posts; the text encoder comes on top (MiniLM 91 MB).

    Args:
        encoder: a `TextEncoder`.
        images: an `ImageEncoder`; None where pictures are not read as such.
        words: the word ids that the model reads.
        model: from the inputs that `context` gives to logits; its `represent` gives `post`.
        context: what it reads of the train posts.
        hashtags: the hashtag of each label.
        proposals: (m, a), shape of a picture's proposals; None where the model reads no images.
        k: hashtags in an answer of `serving_default`; at most the number of labels is given.
        rising: what rises.
        pictures: of a post that are read, at most; the first.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        images: ImageEncoder | None,
        words: WordIds,
        model: Any,
        context: PostContext,
        hashtags: Sequence[str],
        proposals: tuple[int, int] | None,
        k: int,
        rising: RisingHashtags,
        pictures: int = 8,
    ) -> None:
        self.encoder, self.images, self.words = encoder, images, words
        self.model, self.context = model, context
        self.proposals, self.pictures = proposals, pictures
        self.k = min(k, len(hashtags))
        self.names = tf.Variable(hashtags, trainable=False, dtype=tf.string, name="labels")
        self.users = UserTable(context.users)
        self.rising = rising
        self.limits: tuple[str, ...] = (*LIMITS, *rising.limits)
        self.explains = isinstance(model, Explains)
        # Functions of their own: signatures share them, so each is traced and written once.
        post = [tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.string)]
        if proposals is not None:
            post += [
                tf.TensorSpec([None, None, proposals[1]]),
                tf.TensorSpec([None, None], tf.bool),
            ]
        self._inputs = tf.function(self._read, post, autograph=False)
        self._logits = tf.function(self._compute_logits, post, autograph=False)
        self._embedding = tf.function(self._compute_embedding, post, autograph=False)
        if self.explains:
            self.index = HashtagIndex(hashtags)
            asked = [*post[:2], tf.TensorSpec([None], tf.int32), *post[2:]]
            self._explanation = tf.function(self._compute_explanation, asked, autograph=False)
        if images is not None:
            self._encode = _encoding(images)

    @classmethod
    def of_labels(
        cls,
        data: EncodedCorpus,
        labels: PostLabels,
        words: WordIds,
        model: Any,
        context: PostContext,
        k: int,
    ) -> Self:
        """For the labels of a training.

        Args:
            data: the corpus that the model was trained on.
            labels: what it ranks.
            words, model, context: as above.
            k: hashtags in an answer of `serving_default`.

        Raises:
            ArtifactError: an encoder is not the one that the corpus was encoded with.
            EncoderError: an encoder cannot be loaded.
        """
        proposals = None
        if data.proposals is not None:
            proposals = tuple(data.proposals.vectors.shape[1:])
        names = [data.corpus.hashtags[hashtag] for hashtag in labels.hashtags]
        encoders, rising = (data.text_encoder, data.image_encoder), RisingHashtags(data.corpus)
        return cls(*encoders, words, model, context, names, proposals, k, rising, data.pictures)

    @property
    def signatures(self) -> Sequence[Signature]:
        """Those of every model of posts, and `explain` where the model says why."""
        return (*SIGNATURES, EXPLAIN) if self.explains else SIGNATURES

    @property
    def requests(self) -> Sequence[WarmUpRequest]:
        """Warm-up requests."""
        return warm_up_requests(self.proposals, self.explains)

    @property
    def shapes(self) -> Mapping[str, Sequence[int | None]]:
        """Sizes of given proposals."""
        return {"proposals": [None, None, self.proposals[1] if self.proposals else None]}

    @property
    def memory(self) -> Mapping[str, int]:
        """What grows with the encoders; of a row, what similar posts and their hashtags take.

        A row takes more where the tables are large, at which the server looks by itself.
        """
        read, cells = {}, 0
        if self.proposals is not None:
            cells, width = self.proposals
            # All rows are padded to the pictures of the one that has the most.
            padded = (1 + self.context.padded) * cells * (16 * width + 4 * self.context.cell)
            read = {"padded": padded, "number": max(64, -(-padded // (cells * width)))}
        if self.images is not None:
            # Pixels as floats, and about as many feature maps as networks of this size have.
            numbers = math.prod(self.proposals or (0,))
            read["picture"] = 32 * 4 * 3 * self.images.size**2 + 12 * numbers
        row = (400 if self.proposals is None else 800) * 2**10
        return {"row": row, "value": 20 * self.encoder.width, "text": 120, **read}

    def avoid(self, ops: Collection[str]) -> Sequence[str]:
        """Reads no WebP pictures where its decoder is among the operations to avoid."""
        if self.images is None or WEBP_OP not in ops:
            return ()
        self.images = copy.copy(self.images)  # the run reads its pictures as before
        self.images.webp = False
        self._encode = _encoding(self.images)
        return (
            "A WebP picture is no picture: the server that the export is for has no decoder of it.",
        )

    def trackables(self) -> list[Any]:
        """Everything that the SavedModel must hold."""
        images = [] if self.images is None else self.images.trackables()
        return [
            self.names,
            self.users,
            self.words.table,
            self.model,
            *self.encoder.trackables(),
            *images,
            *self.context.trackables(),
            *self.rising.trackables(),
            *([self.index] if self.explains else []),
        ]

    def serving_default(self, text: tf.Tensor, images: tf.Tensor, user: tf.Tensor) -> Answer:
        """The `k` best labels, best first."""
        return self._best(self._logits(text, user, *self._seen(images)), self.k)

    def top_k(self, text: tf.Tensor, images: tf.Tensor, user: tf.Tensor, k: tf.Tensor) -> Answer:
        """The `k` best labels; `k` is cut to 1 .. their number."""
        k = tf.clip_by_value(k, 1, tf.shape(self.names)[0])
        return self._best(self._logits(text, user, *self._seen(images)), k)

    def vectors(self, text: tf.Tensor, proposals: tf.Tensor, user: tf.Tensor) -> Answer:
        """As `serving_default`, from proposals; those of zeros alone are no picture."""
        return self._best(self._logits(text, user, *self._given(proposals)), self.k)

    def embed_post(self, text: tf.Tensor, images: tf.Tensor, user: tf.Tensor) -> Answer:
        """The post's representation before the graph and the MLP."""
        return {"embedding": self._embedding(text, user, *self._seen(images))}

    def explain(
        self, text: tf.Tensor, images: tf.Tensor, user: tf.Tensor, hashtag: tf.Tensor
    ) -> Answer:
        """The signals of a hashtag, what each adds to its logit, and posts of others with it."""
        if not self.explains:
            raise TypeError("This model has no `explain`.")
        found = self._explanation(text, user, self.index(hashtag), *self._seen(images))
        known, tags = found.pop("known"), found.pop("similar")
        names = tf.strings.join(["#", tf.gather(self.names, tf.maximum(tags, 0))])
        names = tf.strings.reduce_join(tf.where(tags >= 0, names, ""), axis=-1, separator=" ")
        found["similar"] = tf.strings.strip(names)
        return {"known": known, **zeros_where_not(known, found)}

    def trending(self, k: tf.Tensor) -> Answer:
        """What rises among all hashtags."""
        return self.rising(k)

    def logits(self, text: tf.Tensor, images: tf.Tensor, user: tf.Tensor) -> tf.Tensor:
        """Logits of every label, float32 `[B, L]`, arguments as in `serving_default`."""
        return self._logits(text, user, *self._seen(images))

    def _compute_logits(self, *post: tf.Tensor) -> tf.Tensor:
        return self.model(self._inputs(*post), training=False)

    def _compute_embedding(self, *post: tf.Tensor) -> tf.Tensor:
        # Read anew: what is not represented is not looked for.
        return tf.cast(self.model.represent(self._read(*post))["post"], tf.float32)

    def _compute_explanation(
        self, text: tf.Tensor, user: tf.Tensor, labels: tf.Tensor, *picture: tf.Tensor
    ) -> Answer:
        return self.model.explain(self._inputs(text, user, *picture), labels)

    def _read(self, text: tf.Tensor, user: tf.Tensor, *picture: tf.Tensor) -> Answer:
        text = tf.strings.substr(text, 0, MOST_BYTES)
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        has_text = ~tf.strings.regex_full_match(text, _BLANK)
        distinct, place = tf.unique(text)
        vectors = tf.gather(by_length(self.encoder, distinct), place)
        post = {
            "tokens": self.words(text),
            "text": tf.where(has_text[:, None], vectors, tf.zeros_like(vectors)),
            "has_text": has_text,
        }
        if picture:
            post["proposals"], post["image_mask"] = picture
            post["has_image"] = tf.reduce_any(post["image_mask"], axis=1)
        return self.context(post, text, self.users.lookup(user))

    def _best(self, logits: tf.Tensor, k: tf.Tensor | int) -> Answer:
        best = tf.math.top_k(tf.nn.softmax(logits), k)
        return {"hashtags": tf.gather(self.names, best.indices), "scores": best.values}

    def _seen(self, images: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Proposals `[B, P * m, a]` and which pictures there are; nothing where none are read."""
        if self.proposals is None:
            return ()
        posts = tf.shape(images)[0]
        if self.images is None:
            return tf.zeros([posts, *self.proposals]), tf.zeros([posts, 1], tf.bool)
        nothing = tf.fill([posts, tf.cast(tf.shape(images)[1] == 0, tf.int32)], "")
        images = tf.concat([images, nothing], axis=1)
        distinct, place = tf.unique(tf.reshape(images, [-1]))
        values, valid = self._encode(distinct)
        place = tf.reshape(place, tf.shape(images))
        first, there = self._first(tf.gather(valid, place))
        proposals = tf.gather(values, tf.gather(place, first, batch_dims=1))
        return self._on_one_axis(proposals), there

    def _given(self, proposals: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Proposals, and which pictures there are: those of which one is not zero."""
        if self.proposals is None:
            return ()
        cells, width = self.proposals
        # Fewer than a picture has are those of one picture.
        fewer = tf.maximum(cells - tf.shape(proposals)[1], 0)
        proposals = tf.pad(proposals, [[0, 0], [0, fewer], [0, 0]])
        shape = tf.shape(proposals)
        whole = tf.debugging.assert_equal(
            shape[1] % cells, 0, f"`proposals` [B, M, A]: M must be a multiple of {cells}"
        )
        with tf.control_dependencies([whole] if whole is not None else []):
            pictures = tf.reshape(proposals, [shape[0], shape[1] // cells, cells, width])
        first, there = self._first(tf.reduce_any(pictures != 0, axis=[2, 3]))
        return self._on_one_axis(tf.gather(pictures, first, batch_dims=1)), there

    def _first(self, there: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Places `[B, K]` of the pictures that are read, and which of these are there.

        As in the training: what is no picture takes no place among the first, and no row is wider
        than the pictures of the one that has the most.
        """
        most = tf.reduce_max(tf.math.count_nonzero(there, axis=1, dtype=tf.int32))
        order = tf.argsort(tf.cast(~there, tf.int32), axis=1, stable=True)
        order = order[:, : tf.clip_by_value(most, 1, self.pictures)]
        return order, tf.gather(there, order, batch_dims=1)

    def _on_one_axis(self, pictures: tf.Tensor) -> tf.Tensor:
        """`[B, P, m, a]` as `[B, P * m, a]`."""
        shape = tf.shape(pictures)
        return tf.reshape(pictures, [shape[0], shape[1] * shape[2], pictures.shape[-1]])


def _encoding(images: ImageEncoder) -> Any:
    """A function of its own: signatures share it, so that it is traced and written once."""
    return tf.function(images, [tf.TensorSpec([None], tf.string)], autograph=False)
