"""Post models as SavedModels: texts, encoded pictures and users in, hashtags and scores out."""

import json
import os
import pathlib
from typing import Any

import tensorflow as tf

from tfhashtag.encoders.blocks import by_length
from tfhashtag.encoders.raw_strings import hashtag_table
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.recommenders.phr.context import MaconContext, PhrContext, PostContext
from tfhashtag.recommenders.post_settings import PostSettings
from tfhashtag.runs.run import Run

# What Python's `str.strip` takes off: a text of nothing else is no text.
_BLANK = "[\t-\r\x1c-\x20\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"

_LIMITS = (
    "Only the labels of the training are ranked: hashtags that the train posts carry often enough. "
    "No other hashtag is ever answered.",
    "A user who is empty or unknown has no history; the answer comes from text and picture alone.",
    "An empty picture, a broken or unknown file and one beyond the size limit are no picture; "
    "the answer comes from text and user. A model without an image encoder reads no pictures.",
    "A text without a visible character is no text. Bytes that are no UTF-8 count as U+FFFD.",
    "A post with nothing at all gets what the model learned for such posts. No input gives NaN.",
    "Scores are shares of a softmax over all labels; they rank, and are not calibrated.",
    "The model holds vectors of the train posts and the names of their users; who can read its "
    "files can read these names.",
    "A model knows the language and topics of its data and repeats their biases.",
)


class RawStringPostModel:
    """A post model with everything that it looks up, behind the signatures of the PHR export.

    One object answers `recommend` in process and is what `export` writes, so both give the same
    answers, and for a post of the corpus that is no train post those of `PostRecommender.score`.
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
        words: `WordIds` of the recommender.
        model: a `PhrModel` or `MaconModel`.
        context: what it reads of the train posts.
        hashtags: the hashtag of each label.
        proposals: (m, a), shape of a picture's proposals; None where the model reads no images.
        k: hashtags in an answer of `serving_default`; at most the number of labels is given.
    """

    def __init__(
        self,
        encoder,
        images,
        words,
        model,
        context: PostContext,
        hashtags: list[str],
        proposals: tuple[int, int] | None,
        k: int,
    ):
        self.encoder, self.images, self.words = encoder, images, words
        self.model, self.context = model, context
        self.proposals = proposals
        self.k = min(k, len(hashtags))
        self.names = tf.Variable(hashtags, trainable=False, dtype=tf.string, name="labels")
        self.users = hashtag_table(context.users)
        # Functions of their own: signatures share them, so each is traced and written once.
        post = [tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.string)]
        if proposals is not None:
            post += [tf.TensorSpec([None, *proposals]), tf.TensorSpec([None], tf.bool)]
        self._logits = tf.function(self._compute_logits, post, autograph=False)
        self._embedding = tf.function(self._compute_embedding, post, autograph=False)
        if images is not None:
            self._encode = tf.function(images, post[:1], autograph=False)

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
        ]

    def serving_default(self, text, image, user):
        """The `k` best labels, best first."""
        return self._best(self._logits(text, user, *self._picture(image)), self.k)

    def top_k(self, text, image, user, k):
        """The `k` best labels; `k` is cut to 1 .. their number."""
        k = tf.clip_by_value(k, 1, tf.shape(self.names)[0])
        return self._best(self._logits(text, user, *self._picture(image)), k)

    def vectors(self, text, proposals, user):
        """As `serving_default`, from proposals; those of zeros alone are no picture."""
        return self._best(self._logits(text, user, *self._given(proposals)), self.k)

    def embed_post(self, text, image, user):
        """The post's representation before the graph and the MLP."""
        return {"embedding": self._embedding(text, user, *self._picture(image))}

    def logits(self, text, image, user):
        """Logits of every label, float32 `[B, L]`, arguments as in `serving_default`."""
        return self._logits(text, user, *self._picture(image))

    def _compute_logits(self, *post):
        return self.model(self._inputs(*post), training=False)

    def _compute_embedding(self, *post):
        return tf.cast(self.model.represent(self._inputs(*post))["post"], tf.float32)

    def _inputs(self, text, user, *picture):
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
            post["proposals"], post["has_image"] = picture
        return self.context(post, text, self.users.lookup(user))

    def _best(self, logits, k):
        best = tf.math.top_k(tf.nn.softmax(logits), k)
        return {"hashtags": tf.gather(self.names, best.indices), "scores": best.values}

    def _picture(self, image):
        """Proposals `[B, m, a]` and whether there are any; nothing where the model reads none."""
        if self.proposals is None:
            return ()
        if self.images is None:
            nothing = tf.zeros([tf.shape(image)[0], *self.proposals])
            return nothing, tf.zeros_like(image, tf.bool)
        return self._encode(image)

    def _given(self, proposals):
        if self.proposals is None:
            return ()
        return proposals, tf.reduce_any(proposals != 0, axis=[1, 2])


def raw_string_post_model(run: Run, k: int = 50) -> RawStringPostModel:
    """The trained model of a run of posts behind the export's signatures.

    Raises:
        ArtifactError: the training is not complete, or an encoder is not the one that the corpus
            was encoded with.
        EncoderError: an encoder of the run cannot be loaded.
    """
    from tfhashtag.encoders import load_image_encoder, load_text_encoder

    settings = run.settings
    if not isinstance(settings, PostSettings):
        raise ConfigError(f"{run.folder}: `model` is {settings.model}, no model of posts.")
    recommender = run.load_recommender()
    context = PhrContext if settings.model == "phr" else MaconContext
    images = proposals = None
    if recommender.tables.proposals is not None:
        proposals = tuple(recommender.tables.proposals.shape[1:])
        if settings.image_encoder != "given":
            images = load_image_encoder(settings.image_encoder, proposals=proposals[0])
            _check_same_encoder(images, run.proposals.folder)
    encoder = load_text_encoder(settings.text_encoder)
    _check_same_encoder(encoder, pathlib.Path(run.vectors.filename).parent)
    return RawStringPostModel(
        encoder,
        images,
        recommender.word_ids,
        recommender.model,
        context(recommender),
        [run.corpus.hashtags[hashtag] for hashtag in recommender.labels.hashtags],
        proposals,
        k,
    )


def _check_same_encoder(encoder, folder: pathlib.Path) -> None:
    """Refuses an encoder with other weights or settings than the vectors in a folder."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    if meta["fingerprint"] != encoder.fingerprint:
        raise ArtifactError(
            f"{folder}: made by {meta['encoder']!r} with fingerprint {meta['fingerprint'][:12]}, "
            f"but {encoder.name!r} has {encoder.fingerprint[:12]} here: other weights or settings. "
            "Encode the corpus with the encoder as it is and train again."
        )


def recommend_for_post(
    run_folder: str | os.PathLike,
    *,
    text: str = "",
    image: bytes | None = None,
    user: str | None = None,
    k: int = 10,
) -> list[dict[str, Any]]:
    """The best hashtags for a post.

    Args:
        run_folder: a complete run of a post model.
        text: the post's text, without its hashtags.
        image: the post's picture, encoded (JPEG, PNG, WebP, GIF or BMP).
        user: who posts, a user id of the corpus; None for somebody new.
        k: how many, at least 1.

    Returns:
        `[{"hashtag": str, "score": float in [0, 1]}, ...]`, best first; the scores of all labels
        sum to 1.

    Raises:
        DataError: the user is not in the corpus, the picture cannot be decoded, or the model reads
            no pictures.
        ArtifactError: the run is not complete.
    """
    run = Run.open(run_folder)
    if not isinstance(run.settings, PostSettings):
        raise DataError(
            f"{run_folder}: `{run.settings.model}` is no model of posts; give `user` or `history`."
        )
    if user is not None and user not in run.corpus.users:
        import difflib

        near = difflib.get_close_matches(user, run.corpus.users, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(
            f"{run_folder}: no user {user!r} in the corpus.{hint} Leave the user out for somebody "
            "new."
        )
    model = raw_string_post_model(run, k)
    if image is not None:
        if model.images is None:
            raise DataError(
                f"{run_folder}: the model reads no pictures (`image_encoder` is "
                f"{run.settings.image_encoder!r}); leave the picture out."
            )
        if not model.images(tf.constant([image]))[1][0]:
            raise DataError(
                "`image` cannot be decoded; expected a whole JPEG, PNG, WebP, GIF or BMP file of "
                "at most 33 million pixels."
            )
    answer = tf.function(model.serving_default, autograph=False)(
        tf.constant([text]), tf.constant([image or b""]), tf.constant([user or ""])
    )
    return [
        {"hashtag": hashtag.decode(), "score": float(score)}
        for hashtag, score in zip(
            answer["hashtags"][0].numpy(), answer["scores"][0].numpy(), strict=True
        )
    ]


def export_posts(
    run_folder: str | os.PathLike,
    out: str | os.PathLike,
    *,
    k: int = 50,
    check: bool = True,
    warm_up: str = "all",
) -> pathlib.Path:
    """Writes a run of posts as the next version folder under `out`, whole or not at all.

    Args:
        run_folder: a complete run of a post model.
        out: the model's folder; versions are its numbered subfolders.
        k: hashtags in an answer of `serving_default`.
        check: load it in a bare process, allow only ops that TensorFlow Serving registers, answer
            its warm-up requests there.
        warm_up: `all` or `batchable`, see `export_saved_model`.

    Raises:
        ArtifactError: the run is incomplete, or the written model fails its check.
    """
    from tfhashtag.export.saved_model import export_saved_model
    from tfhashtag.export.signatures import POSTS
    from tfhashtag.export.warmup import post_requests

    run = Run.open(run_folder)
    model = raw_string_post_model(run, k)
    return export_saved_model(
        run,
        model,
        POSTS,
        post_requests(model.proposals),
        _LIMITS,
        out,
        shapes={"proposals": [None, *(model.proposals or (None, None))]},
        warm_up=warm_up,
        check=check,
    )
