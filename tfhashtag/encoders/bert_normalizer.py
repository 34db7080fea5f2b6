"""The text normalisation of BERT checkpoints, in the graph."""

import tensorflow as tf
import tensorflow_text as tf_text


def normalize_bert(strings: tf.Tensor, lowercase: bool, strip_accents: bool) -> tf.Tensor:
    r"""Cleans text as the published BERT tokenizers do before they look for word pieces.

    Control and format characters vanish (KerasHub's tokenizer splits words at them instead), any
    white space becomes a blank, accents are stripped, letters are lowered (KerasHub folds case,
    which turns "ß" into "ss").

    Args:
        strings: string, any shape, valid UTF-8.
        lowercase: bool, for uncased checkpoints.
        strip_accents: bool; checkpoints that leave it open strip exactly where they lower.

    Returns:
        string of the same shape.

    Example:

    >>> normalize_bert(tf.constant(["Caf\u00e9\u3000go\u200dod"]), True, True).numpy()[0]
    b'cafe good'
    """
    strings = tf.strings.regex_replace(strings, r"[\t\n\r\p{Z}]", " ")
    strings = tf.strings.regex_replace(strings, r"[\p{Cc}\p{Cf}\p{Co}\x{FFFD}]", "")
    if strip_accents:
        strings = tf_text.normalize_utf8(strings, "NFD")
        strings = tf.strings.regex_replace(strings, r"\p{Mn}", "")
    if lowercase:
        strings = tf.strings.lower(strings, encoding="utf-8")
    return strings
