"""The words of the topic model: which they are, and bags of them."""

import dataclasses
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.files import write_json

# Written so that Python's `re` and RE2 (inside a TensorFlow graph) read them alike: no class whose
# members depend on a version of Unicode. ASCII letters are lowered, other letters stay.
SEPARATORS = (
    "[\x00-\x26\x28-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f\u0080-\u00bf\u2000-\u206f\u3000-\u303f"
    "\uff00-\uff0f\ufe0f]+"
)
IDEOGRAPHS = "[\u3040-\u30ff\u3400-\u9fff]"  # no spaces between words: each is a word

_SEPARATORS = re.compile(SEPARATORS)
_IDEOGRAPHS = re.compile(IDEOGRAPHS)
_LOWER = str.maketrans({chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)})


def split_words(text: str) -> list[str]:
    """Words of a message: runs between separators, ASCII letters lowered.

    >>> split_words("Don't PANIC: it's 42... 東京")
    ["don't", 'panic', "it's", '42', '東', '京']
    """
    text = _IDEOGRAPHS.sub(r" \g<0> ", text.translate(_LOWER))
    # Not at every white space of Unicode: the graph splits at ASCII ones, which are separators.
    return [word for word in _SEPARATORS.sub(" ", text).split(" ") if word]


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The most frequent words, most frequent first; a word's place is its id.

    Attributes:
        words: distinct words.

    Example:

    >>> vocabulary = Vocabulary.of_messages(["good book", "a good read", "good"], size=2)
    >>> vocabulary.words
    ['good', 'a']
    >>> vocabulary.encode(["a good good thing", ""])
    (array([0, 3, 3]), array([1, 0, 0], dtype=int32))
    """

    words: list[str]

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def of_messages(cls, messages: Iterable[str], size: int) -> "Vocabulary":
        """The `size` most frequent words; of equally frequent ones the first in the alphabet.

        Raises:
            ConfigError: `size` is below 1.
        """
        if size < 1:
            raise ConfigError(f"`size` of the vocabulary must be at least 1, found {size}.")
        counts = Counter(word for message in messages for word in split_words(message))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls([word for word, _ in ranked[:size]])

    def encode(self, messages: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Word ids of each message, unknown words left out.

        Returns:
            offsets, int64 `[messages + 1]`, and word ids, int32: message i has
            `ids[offsets[i]:offsets[i + 1]]`, in the order of the text, with repetitions.
        """
        index = {word: i for i, word in enumerate(self.words)}
        lengths, ids = [0], []
        for message in messages:
            found = [index[word] for word in split_words(message) if word in index]
            lengths.append(len(found))
            ids += found
        return np.cumsum(lengths, dtype=np.int64), np.asarray(ids, dtype=np.int32)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the words to a JSON file, whole or not at all."""
        write_json(path, {"words": self.words})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Vocabulary":
        """Reads what `save` wrote.

        Raises:
            ArtifactError: the file is missing or is not a vocabulary.
        """
        try:
            with open(path, encoding="utf-8") as file:
                words = json.load(file)["words"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{path}: not a vocabulary file: {error}.") from error
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ArtifactError(f"{path}: `words` must be a list of strings.")
        return cls(words)


@dataclasses.dataclass(frozen=True)
class MessageWords:
    """Word ids of every message of a corpus, ready to be summed into bags.

    Attributes:
        offsets: int64 `[messages + 1]`.
        ids: int32, see `Vocabulary.encode`.
        size: number of words in the vocabulary.

    Example:

    >>> vocabulary = Vocabulary(["good", "read"])
    >>> words = MessageWords.of_messages(vocabulary, ["good good", "a read", "none"])
    >>> words.bags(np.array([[0, 1, -1], [2, -1, -1]])).tolist()
    [[2.0, 1.0], [0.0, 0.0]]
    """

    offsets: np.ndarray
    ids: np.ndarray
    size: int

    @classmethod
    def of_messages(cls, vocabulary: Vocabulary, messages: Sequence[str]) -> "MessageWords":
        """Encodes each message once."""
        return cls(*vocabulary.encode(messages), size=len(vocabulary))

    def bags(self, rows: np.ndarray) -> np.ndarray:
        """Sums of the words of messages: int `[..., M]`, -1 pads, to float32 `[..., V]`."""
        rows = np.asarray(rows)
        bags = np.zeros((*rows.shape[:-1], self.size), dtype=np.float32)
        flat = rows.reshape(-1)
        kept = np.flatnonzero(flat >= 0)
        messages = flat[kept]
        starts, lengths = self.offsets[messages], np.diff(self.offsets)[messages]
        ends = np.cumsum(lengths)
        if len(ends) and ends[-1]:
            inside = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
            words = self.ids[np.repeat(starts, lengths) + inside]
            bag = np.repeat(kept // rows.shape[-1], lengths)
            np.add.at(bags.reshape(-1), bag * self.size + words, np.float32(1))
        return bags
