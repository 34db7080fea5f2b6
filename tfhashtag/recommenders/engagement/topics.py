"""What the topics of a trained model are about, and how good they are beside those of LDA."""

import csv
import dataclasses
import io
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import rich.table
import rich.text
import scipy.sparse

from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.files import write_json, write_text
from tfhashtag.recommenders.engagement.topic_documents import topic_documents
from tfhashtag.recommenders.engagement.topic_quality import (
    COHERENCE_WORDS,
    DIVERSITY_WORDS,
    diversity,
    npmi_coherence,
    top_words,
)
from tfhashtag.recommenders.lambdamart.word_vectors import LdaVectors


@dataclasses.dataclass(frozen=True)
class Topics:
    """The topics of one model.

    Attributes:
        system: name of the model.
        words: the top words of each topic, 25 at most, the likeliest first.
        npmi: coherence of each topic's top 10 words, see `evaluation.topic_quality`.
        coherence: mean of `npmi`.
        diversity: share of distinct words among all `words`.
    """

    system: str
    words: list[list[str]]
    npmi: list[float]
    coherence: float
    diversity: float


@dataclasses.dataclass(frozen=True)
class TopicComparison:
    """What `compare_topics` found.

    Attributes:
        corpus: its name.
        hashtags: documents of LDA, one a hashtag.
        messages: distinct messages by which the topics are judged.
        vocabulary: number of words.
        systems: of the run's model, then LDA.
    """

    corpus: str
    hashtags: int
    messages: int
    vocabulary: int
    systems: list[Topics]


def compare_topics(
    recommender: Any, passes: int = 10, seed: int = 0, without: int = 0
) -> TopicComparison:
    """The topics of a trained model, and those of LDA with as many topics on the same hashtags.

    Both see the model's vocabulary and the train posts of its hashtags; coherence is counted in the
    distinct messages among these posts. Words of a topic are ranked by how likely a document that
    is all of this topic has them: `NeuralTopicModel.topic_words(frequencies=True)`, and in LDA
    the normalised weights of the topic.

    Args:
        recommender: a trained `engagement` recommender with topics.
        passes: int >= 1, of LDA over the documents.
        seed: of LDA.
        without: int >= 0: so many of the most frequent words are passed over in the lists of words
            and in the figures; what the models learnt stays.

    Raises:
        ConfigError: a recommender of another kind or without topics, scikit-learn is not
            installed, or `without` leaves fewer than two words.
        DataError: no hashtag has enough train posts.
    """
    settings = recommender.settings
    check_has_topics(settings)
    vocabulary = recommender.vocabulary.words
    if len(vocabulary) - without < 2:
        raise ConfigError(
            f"`without` is {without}, but the vocabulary has {len(vocabulary)} words; leave at "
            "least two."
        )
    documents, messages = topic_documents(
        recommender.corpus, recommender.words, settings.data.minimum_contexts
    )
    lda = LdaVectors(settings.network.topics, passes, seed)
    lda.fit(documents)
    neural = np.asarray(recommender.model.topic_model.topic_words(frequencies=True), np.float32)
    return TopicComparison(
        corpus=recommender.corpus.name,
        hashtags=documents.shape[0],
        messages=messages.shape[0],
        vocabulary=len(vocabulary),
        systems=[
            measure_topics(system, rows, vocabulary, messages, without)
            for system, rows in (("NTM", neural), ("LDA", lda.topic_words()))
        ],
    )


def check_has_topics(settings: Any) -> None:
    """Refuses the settings of a model without topics.

    Raises:
        ConfigError: there is no `network.topics`, or it is null.
    """
    if getattr(getattr(settings, "network", None), "topics", None) is None:
        raise ConfigError(
            f"`model` is {settings.model}, without topics; a table of topics needs a run of model "
            "engagement with a number of topics, such as of `tfhashtag train full`."
        )


def measure_topics(
    system: str,
    distributions: np.ndarray,
    vocabulary: Sequence[str],
    messages: scipy.sparse.csr_matrix,
    without: int = 0,
) -> Topics:
    """The top words of topics, their coherence and diversity.

    Args:
        system: name of the model.
        distributions: likelihoods of words, `[K, V]`.
        vocabulary: V words, the most frequent first.
        messages: counts of words in the messages by which topics are judged, `[D, V]`.
        without: so many of the most frequent words are passed over.

    Example:

    >>> messages = scipy.sparse.csr_matrix([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    >>> found = measure_topics("x", np.array([[3, 2, 1]]), ["new", "book", "cat"], messages)
    >>> found.words, round(found.coherence, 3)
    ([['new', 'book', 'cat']], -0.333)
    """
    ranked = top_words(distributions[:, without:], DIVERSITY_WORDS) + without
    npmi = npmi_coherence(ranked[:, :COHERENCE_WORDS], messages)
    return Topics(
        system=system,
        words=[[vocabulary[word] for word in row] for row in ranked],
        npmi=npmi.tolist(),
        coherence=float(npmi.mean()),
        diversity=diversity(ranked),
    )


def topic_tables(found: TopicComparison, shown: int | None = None) -> list[rich.table.Table]:
    """Tables for `rich`: the figures of all models, then the topics of each.

    Args:
        found: of `compare_topics`.
        shown: topics of a model, the most coherent first; None: all.
    """
    figures = rich.table.Table(
        title=f"{found.hashtags:,} hashtags, {found.messages:,} messages, "
        f"{found.vocabulary:,} words"
    )
    for name in ("model", "topics", "NPMI", "diversity"):
        figures.add_column(name, justify="left" if name == "model" else "right")
    tables = [figures]
    for topics in found.systems:
        figures.add_row(
            topics.system,
            str(len(topics.words)),
            f"{topics.coherence:.3f}",
            f"{topics.diversity:.3f}",
        )
        table = rich.table.Table(title=topics.system)
        table.add_column("topic", justify="right")
        table.add_column("NPMI", justify="right", no_wrap=True)
        table.add_column("words", overflow="fold")
        for topic in _by_coherence(topics)[:shown]:
            words = rich.text.Text(" ".join(topics.words[topic][:COHERENCE_WORDS]))
            table.add_row(str(topic), f"{topics.npmi[topic]:.3f}", words)
        tables.append(table)
    return tables


def write_topics(found: TopicComparison, folder: str | os.PathLike) -> list[pathlib.Path]:
    """Writes `topics.csv`, `topics.json` and `topics.md`.

    Args:
        found: of `compare_topics`.
        folder: made where it does not exist; files of these names are replaced.

    Raises:
        ArtifactError: `folder` is a file.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"{folder}: is a file; give a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("topics.csv", _csv(found)), ("topics.md", _markdown(found))):
        write_text(folder / name, text)
    write_json(folder / "topics.json", dataclasses.asdict(found))
    return [folder / name for name in ("topics.md", "topics.csv", "topics.json")]


def _by_coherence(topics: Topics) -> list[int]:
    return np.argsort(-np.asarray(topics.npmi), kind="stable").tolist()


def _csv(found: TopicComparison) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("model", "topic", "npmi", "words"))
    for topics in found.systems:
        for topic, (npmi, words) in enumerate(zip(topics.npmi, topics.words, strict=True)):
            writer.writerow((topics.system, topic, f"{npmi:.6f}", " ".join(words)))
    return out.getvalue()


def _markdown(found: TopicComparison) -> str:
    lines = _rows(
        ("model", "topics", "NPMI", "diversity"),
        [
            (topics.system, len(topics.words), f"{topics.coherence:.3f}", f"{topics.diversity:.3f}")
            for topics in found.systems
        ],
    )
    for topics in found.systems:
        words = [" ".join(row[:COHERENCE_WORDS]) for row in topics.words]
        rows = [(at, f"{topics.npmi[at]:.3f}", words[at]) for at in _by_coherence(topics)]
        lines += ["", f"**{topics.system}**", "", *_rows(("topic", "NPMI", "words"), rows)]
    return "\n".join(lines) + "\n"


def _rows(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A Markdown table; all punctuation that means something there separates words."""
    return [f"| {' | '.join(map(str, row))} |" for row in (names, ["---"] * len(names), *rows)]
