"""Corpora: posts as columns on disk, readers, import, splits, made corpora. No TensorFlow."""

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows

__all__ = ["Candidates", "Corpus", "Rows", "Split"]
