"""Small encoded corpora of both tasks, for contract tests: made in seconds, nothing downloaded."""

import os
import pathlib
from typing import Any

from tfhashtag.corpus.store import read_corpus, write_corpus

_WORDS, _WIDTH = 512, 12


def write_word_encoder(folder: str | os.PathLike) -> str:
    """A text encoder as a SavedModel: a text is the sum of random vectors of its words.

    Args:
        folder: to make.

    Returns:
        Its path, which settings take as `text_encoder`.
    """
    import tensorflow as tf

    module = tf.Module()
    table = tf.random.Generator.from_seed(1).normal([_WORDS, _WIDTH])
    module.table = tf.Variable(table, trainable=False)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed(text: Any) -> Any:
        words = tf.strings.split(tf.strings.lower(text))
        vectors = tf.gather(module.table, tf.strings.to_hash_bucket_fast(words.values, _WORDS))
        return tf.math.unsorted_segment_sum(vectors, words.value_rowids(), words.nrows())

    module.__call__ = embed
    tf.saved_model.save(module, str(folder), signatures=embed.get_concrete_function())
    return str(folder)


def small_world(task: str, folder: str | os.PathLike) -> tuple[pathlib.Path, str]:
    """An encoded corpus of a task.

    Args:
        task: `"users"` or `"posts"`; posts have pictures of 24 pixels, encoded by `pixels` with
            four proposals.
        folder: to make.

    Returns:
        Folder of the corpus, and the text encoder as settings take it.
    """
    from tfhashtag.door import encode

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    encoder = write_word_encoder(folder / "words")
    corpus = folder / "corpus"
    if task == "users":
        from tfhashtag.corpus.synthetic import synthetic_corpus

        write_corpus(synthetic_corpus(600, 30, 0), corpus)
        encode(corpus, encoder, progress=False)
        return corpus, encoder
    from tfhashtag.corpus.synthetic_posts import synthetic_posts, write_synthetic_posts

    made = synthetic_posts(
        posts=240, users=20, seed=0, themes=2, picture_size=24, newcomers=0.2, without_text=0.1
    )
    write_synthetic_posts(made, corpus)
    encode(read_corpus(corpus), encoder, "pixels", proposals=4, progress=False)
    return corpus, encoder
