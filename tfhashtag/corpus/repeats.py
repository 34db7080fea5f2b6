"""Posts that stand in two splits: a model that has seen them in training knows the answer."""

import hashlib
import re
import unicodedata

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.texts import first_of_each

_ADDRESS_OR_NAME = re.compile(r"https?://\S+|@\w+")
_NO_WORD = re.compile(r"[\W_]+")


def near_text(text: str) -> str:
    """What is left of a text without case, addresses, names of users and signs.

    Texts with the same are near repeats of one another.

    >>> near_text("GOOD tea! https://t.co/x @ann") == near_text("good, tea")
    True
    """
    plain = _ADDRESS_OR_NAME.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    return _NO_WORD.sub(" ", plain).strip()


def repeats_across_splits(corpus: Corpus) -> dict[str, int]:
    """How many posts of valid and test have a text that the same user has in train.

    Returns:
        Counts by what they are, exact repeats and near ones (`near_text`); without zeros.
    """
    # Sums of 16 bytes in place of texts: memory does not grow with their length.
    keys = np.frombuffer(b"".join(map(near_key, corpus.messages)), np.uint8).reshape(-1, 16)
    first, of_message = first_of_each(keys)
    nothing = np.flatnonzero((keys[first] == np.frombuffer(near_key(""), np.uint8)).all(axis=1))
    said = ~corpus.blank
    counts = {}
    for what, texts in (
        ("exact repeats", np.arange(len(corpus.messages))),
        ("near repeats", of_message),
    ):
        shown = said[corpus.message_of_post]
        if what == "near repeats":
            shown = shown & ~np.isin(texts[corpus.message_of_post], nothing)
        pairs = corpus.user_of_post.astype(np.int64) * max(len(texts), 1)
        pairs = pairs + texts[corpus.message_of_post]
        train = corpus.split_of_post == Split.TRAIN
        counts[what] = int(np.isin(pairs[~train & shown], pairs[train]).sum())
    return told_repeats(counts["exact repeats"], counts["near repeats"])


def told_repeats(exact: int, near: int) -> dict[str, int]:
    """What `repeats_across_splits` gives, of how many repeat exactly and how many nearly or so."""
    counts = {"exact repeats": exact, "near repeats": near - exact}
    told = "in valid or test of a post of the same user in train"
    return {f"{what} {told}": count for what, count in counts.items() if count > 0}


def near_key(text: str) -> bytes:
    """16 bytes that texts have in common whose `near_text` is the same."""
    near = near_text(text).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(near, digest_size=16).digest()
