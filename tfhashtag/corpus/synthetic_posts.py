"""Made posts with pictures: what each hashtag comes from is known."""

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.drawing import (
    PICTURE_THEMES,
    SCENES,
    draw_nothing,
    draw_picture,
    encoded_picture,
)
from tfhashtag.corpus.importing import corpus_of_posts
from tfhashtag.corpus.pictures import picture_name
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.store import write_corpus
from tfhashtag.corpus.synthetic import THEMES
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.files import atomic_directory, check_new_folder, write_json

SOURCES = ("picture", "text", "habit", "similar", "noise")
GROUP = 3  # hashtags that belong together: of a theme, a user's favourites, of an event
_WORDS_A_THEME = 3
_POSTS_AN_EVENT = 6
_WORDS_AN_EVENT = 6
_WORDS_A_PLACE = (7, 11, 13)  # prime, so that two events share two words at most
_LAST_EVENT_FROM = 0.7  # of the posts: what is posted later is about events known from train
_NEWCOMERS_FROM = 0.8  # of the posts: after the train part of the split by global time
_COMMON = ("today", "really", "new", "love", "time", "good", "people", "again", "think", "best")
_EVENT_WORDS = (
    "lisbon oslo cairo lima tokyo nairobi havana berlin seoul quito dublin mumbai prague hanoi "
    "boston athens dakar sydney bogota vienna tunis kyoto denver zagreb riga manila porto accra "
    "milan perth naples doha austin geneva baku seville osaka malmo turin rabat leeds busan "
    "tampa cork minsk cuzco bergen jaipur "
    "parade breakfast regatta auction workshop picnic marathon carnival lecture wedding "
    "rehearsal exhibition tournament graduation sleepover ceremony protest barbecue screening "
    "reunion masquerade hike vigil karaoke fireworks bazaar audition banquet retreat seminar "
    "gala cruise pageant debut homecoming brunch recital luncheon sunrise jamboree potluck "
    "hackathon raffle ballet rodeo funeral harvest safari"
)
_GATHERINGS = (
    "aurora comet ember falcon glacier horizon juniper lantern meadow nimbus orchid pepper"
)
_FAVOURITES = (
    "monday coffee window garden puppy kitten selfie throwback gym playlist notebook bicycle"
)
_FILLERS = (
    "instagood picoftheday nofilter follow viral trending like4like fyp explore mood vibes "
    "goals blessed weekend sunday smile happy amazing cool wow yes random lol mybad"
)


@dataclasses.dataclass(frozen=True)
class SyntheticPosts:
    """A made corpus, its pictures and the truth about it.

    Attributes:
        corpus: in time order, split 80/10/10 by global time.
        pictures: content of every picture by its name in `corpus.images`.
        sources: int8, the index in `SOURCES` of every tagging, in the order of
            `corpus.taggings()`.
        picture_themes: int32 `[posts]`, index into `PICTURE_THEMES`, also where no picture is.
        text_themes: int32 `[posts]`, index into the themes of texts, also where no text is.
        events: int32 `[posts]`, the event that the text is about, also where no text is.
        parameters: what it was made with, by the names of the arguments.
    """

    corpus: Corpus
    pictures: dict[str, bytes]
    sources: np.ndarray
    picture_themes: np.ndarray
    text_themes: np.ndarray
    events: np.ndarray
    parameters: dict[str, Any]

    def shares(self) -> dict[str, float]:
        """Share of the taggings that comes from each source; they add up to 1."""
        counts = np.bincount(self.sources, minlength=len(SOURCES))
        return {
            name: float(count / max(counts.sum(), 1))
            for name, count in zip(SOURCES, counts, strict=True)
        }


@dataclasses.dataclass(frozen=True)
class Truth:
    """What `truth.json` and `truth.parquet` of a made corpus folder say.

    Attributes:
        parameters: what the corpus was made with.
        shares: share of the taggings by source.
        sources: source of every (post id, hashtag).
    """

    parameters: dict[str, Any]
    shares: dict[str, float]
    sources: dict[tuple[str, str], str]


def synthetic_posts(
    posts: int = 4000,
    users: int = 200,
    seed: int = 0,
    *,
    picture: float = 1.0,
    text: float = 1.0,
    habit: float = 1.0,
    similar: float = 1.0,
    noise: float = 0.5,
    without_picture: float = 0.05,
    without_text: float = 0.05,
    newcomers: float = 0.05,
    themes: int = 8,
    picture_size: int = 72,
    pictures: int = 1,
) -> SyntheticPosts:
    """Posts with pictures, texts and hashtags, each hashtag from one known source.

    A post is drawn as (user, text theme, picture theme, event), the themes independent of all else.
    The picture has the colours, layout, texture and shape of the picture theme, and a mark of no
    meaning. The text has a common word, one of three of the text theme, and the event's six. Then:

    - `picture`: hashtags of the picture theme, in posts with a picture.
    - `text`: hashtags of the text theme, in posts with a text.
    - `habit`: the user's three favourites; of 36 hashtags, each is the favourite of many users.
    - `similar`: the event's three hashtags, in posts with a text. They are drawn at random from 36,
      each of which many events have. Each word belongs to many events, too, and two events share
      two words at most: no word says a hashtag, only all six together do. Events come and go, each
      in about six posts: a third of all is on at a time, and none begins after 70 % of the posts,
      so that the valid and test parts are about events of which train has a few posts. Those are
      the most similar in text and carry the hashtags, while a classifier of texts would have to
      learn hundreds of exceptions by heart. A user does not post of an event twice while there are
      others, so the own history says nothing.
    - `noise`: of 24 hashtags, whatever the post.

    Posts of one event differ in both themes, so the similar posts say little of `picture` and
    `text`.

    The hashtags of different sources are disjoint. Each argument has random numbers of its own:
    with the same seed another strength of one source leaves users, texts, pictures and the hashtags
    of all other sources as they are, and so does another share.

    Args:
        posts: at least 1.
        users: at least 1.
        seed: at least 0; the same seed gives the same corpus.
        picture, text, habit, similar, noise: expected number of hashtags of the source in a post
            that can have them, in [0, 3]: s gives floor(s) and one more with probability s -
            floor(s), of three hashtags weighted 1, 1/2, 1/3 (of 24 equal ones for noise).
        without_picture: share of posts without a picture, in [0, 1].
        without_text: share of posts with an empty text, in [0, 1].
        newcomers: share of users who come after the train part, without history, in [0, 1).
        themes: of pictures and of texts, 2 to 12. Few posts need few themes.
        picture_size: width and height in pixels, 24 to 512. One picture in four is a PNG file, the
            others are JPEG.
        pictures: of a post that has any, 1 to 16. With several one at a random place, never the
            first, is that of the theme; the others are grey and show no theme, so that whoever
            reads the first alone learns nothing of `picture`.

    Raises:
        DataError: an argument is out of range.

    Example:

    >>> made = synthetic_posts(posts=60, users=6, seed=1, themes=2, noise=0)
    >>> made.corpus.images[0][0][:7], made.shares()["noise"]
    ('images/', 0.0)
    """
    _check(parameters := dict(locals()))
    streams = iter(np.random.SeedSequence(seed).spawn(32))

    def stream() -> np.random.Generator:
        return np.random.default_rng(next(streams))

    author = _authors(posts, users, newcomers, stream())
    events = int(np.clip(round(posts / _POSTS_AN_EVENT), 1, _WORDS_A_PLACE[-1] ** 3))
    event = _events(author, events, stream())
    text_theme, picture_theme = _themes(themes, posts, stream)
    has_picture = stream().random(posts) >= without_picture
    has_text = stream().random(posts) >= without_text
    texts = _texts(text_theme, _words_of_events(events, stream())[event], stream())
    names = _hashtags()
    favourites = _shuffled(GROUP * len(_FAVOURITES.split()), users, stream())
    of_event = _shuffled(len(names["similar"]), events, stream())
    marks = stream().integers(SCENES, size=posts)
    pools = {
        "picture": (_group_of(picture_theme), has_picture),
        "text": (_group_of(text_theme), has_text),
        "habit": (favourites[author, :GROUP], None),
        "similar": (of_event[event, :GROUP], has_text),
        "noise": (np.tile(np.arange(len(_FILLERS.split())), (posts, 1)), None),
    }
    tags = _tagged(pools, names, parameters, stream)
    drawn = {
        post: _pictures(int(picture_theme[post]), int(marks[post]), post, parameters)
        for post in np.flatnonzero(has_picture).tolist()
    }
    texts = np.where(has_text, texts, "").tolist()
    images = [tuple(name for name, _ in drawn.get(post, ())) for post in range(posts)]
    made = list(map(_post, range(posts), author, texts, tags, images))
    name = f"synthetic-posts-{posts}-{users}-{seed}"
    return SyntheticPosts(
        corpus=corpus_of_posts(made, name, split="global-time"),
        pictures={name: content for row in drawn.values() for name, content in row},
        sources=np.array([source for row in tags for source, _ in row], np.int8),
        picture_themes=picture_theme.astype(np.int32),
        text_themes=text_theme.astype(np.int32),
        events=event.astype(np.int32),
        parameters=parameters,
    )


def write_synthetic_posts(made: SyntheticPosts, folder: str | os.PathLike) -> None:
    """Writes a corpus folder with `truth.parquet` and `truth.json`, whole or not at all.

    `truth.parquet` has a row a tagging: `id` of the post, `hashtag`, `source`. `truth.json` has the
    parameters, the number and share of taggings by source, and the hashtags of each source.

    Args:
        made: what `synthetic_posts` gave.
        folder: must not exist.

    Raises:
        DataError: the folder exists.
    """
    folder = pathlib.Path(folder)
    check_new_folder(folder, DataError)
    corpus = made.corpus
    posts, hashtags = corpus.taggings()
    table = pa.table(
        {
            "id": pa.array([corpus.post_ids[post] for post in posts], pa.string()),
            "hashtag": pa.array([corpus.hashtags[tag] for tag in hashtags], pa.string()),
            "source": pa.array([SOURCES[source] for source in made.sources], pa.string()),
        }
    )
    counts = np.bincount(made.sources, minlength=len(SOURCES)).tolist()
    info = {
        "parameters": made.parameters,
        "taggings": dict(zip(SOURCES, counts, strict=True)),
        "shares": made.shares(),
        "hashtags": {
            name: sorted({corpus.hashtags[tag] for tag in hashtags[made.sources == source]})
            for source, name in enumerate(SOURCES)
        },
    }
    with atomic_directory(folder) as aside:
        write_corpus(corpus, aside / "corpus", made.pictures)
        for entry in (aside / "corpus").iterdir():
            entry.rename(aside / entry.name)
        (aside / "corpus").rmdir()
        pq.write_table(table, aside / "truth.parquet", compression="zstd")
        write_json(aside / "truth.json", info)


def read_truth(folder: str | os.PathLike) -> Truth:
    """What each hashtag of a made corpus folder comes from.

    Raises:
        ArtifactError: the folder has no truth, or it is damaged.
    """
    folder = pathlib.Path(folder)
    for name in ("truth.json", "truth.parquet"):
        if not (folder / name).is_file():
            raise ArtifactError(
                f"{folder}: no `{name}`; expected a corpus of `tfhashtag data synth --task posts`."
            )
    try:
        info = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        columns = pq.read_table(folder / "truth.parquet").to_pydict()
        pairs = zip(columns["id"], columns["hashtag"], strict=True)
        sources = dict(zip(pairs, columns["source"], strict=True))
        return Truth(info["parameters"], info["shares"], sources)
    except (ValueError, KeyError, TypeError, OSError, pa.ArrowException) as error:
        fault = str(error).splitlines()[0]
        raise ArtifactError(
            f"{folder}: the truth is not readable: {fault}. Make the corpus again."
        ) from error


def _group_of(themes: np.ndarray) -> np.ndarray:
    """The places of the hashtags of each post's theme, int `[posts, GROUP]`."""
    return GROUP * themes[:, None] + np.arange(GROUP)


def _themes(themes: int, posts: int, stream: Any) -> tuple[np.ndarray, np.ndarray]:
    """The theme of the text and that of the picture of each post."""
    text, picture = stream().integers(themes, size=(2, posts))
    # Which names stand for which theme differs from seed to seed.
    text_names = stream().permutation(len(THEMES))[:themes]
    picture_names = stream().permutation(len(PICTURE_THEMES))[:themes]
    return text_names[text], picture_names[picture]


def _post(number: int, user: int, text: str, tags: list[tuple[int, str]], images: Any) -> Post:
    return Post(
        id=str(number),
        user=f"user{user:04d}",
        text=text,
        hashtags=tuple(tag for _, tag in tags),
        timestamp=1_700_000_000 + 600 * number,
        images=images,
    )


def _tagged(pools: Any, names: Any, strengths: Any, stream: Any) -> list[list[tuple[int, str]]]:
    """The (source, hashtag) pairs of each post.

    Args:
        pools: for each source the places of the hashtags that each post can have, int
            `[posts, n]`, and whether it can have any, bool `[posts]` or None.
        names: the hashtags of each source.
        strengths: expected hashtags of a post, by source.
        stream: gives the random numbers of the next source.
    """
    tags: list[list[tuple[int, str]]] = [[] for _ in pools["noise"][0]]
    for source, name in enumerate(SOURCES):
        pool, possible = pools[name]
        weights = 1 / (1 + np.arange(GROUP)) if name != "noise" else np.ones(pool.shape[1])
        for post, places in enumerate(_drawn(pool, weights, strengths[name], stream())):
            if possible is None or possible[post]:
                tags[post] += [(source, names[name][place]) for place in places]
    return tags


def _shuffled(count: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Each row 0 to `count` - 1 in an order of its own, int `[rows, count]`."""
    return rng.permuted(np.tile(np.arange(count), (rows, 1)), axis=1)


def _check(parameters: dict[str, Any]) -> None:
    limits: dict[str, tuple[float, float]] = {}
    limits |= {"posts": (1, 10**7), "users": (1, 10**6), "seed": (0, 2**63 - 1)}
    limits |= {name: (0, GROUP) for name in SOURCES}
    limits |= {"without_picture": (0, 1), "without_text": (0, 1), "newcomers": (0, 0.999)}
    limits |= {"themes": (2, len(PICTURE_THEMES)), "picture_size": (24, 512), "pictures": (1, 16)}
    for name, (low, high) in limits.items():
        if not low <= parameters[name] <= high:
            raise DataError(
                f"`{name}` must lie in [{low:g}, {high:g}], found {parameters[name]!r}."
            )


def _authors(posts: int, users: int, newcomers: float, rng: np.random.Generator) -> np.ndarray:
    """The user of each post: every one posts, newcomers in the last fifth alone."""
    new = round(newcomers * users)
    activity = rng.lognormal(0, 0.4, users)
    early = round(_NEWCOMERS_FROM * posts)
    old = users - new

    def some(first: int, last: int, count: int, candidates: int) -> np.ndarray:
        sure = np.arange(first, last)[:count]
        weights = activity[:candidates] / activity[:candidates].sum()
        more = rng.choice(candidates, count - len(sure), p=weights)
        return rng.permutation(np.concatenate([sure, more]))

    return np.concatenate([some(0, old, early, old), some(old, users, posts - early, users)])


def _events(author: np.ndarray, events: int, rng: np.random.Generator) -> np.ndarray:
    """The event of each post, of those that are on, first of all one that is new to the user."""
    on = max(1, round(events / 3))
    begun = np.minimum(np.arange(len(author)) / (_LAST_EVENT_FROM * len(author)), 1)
    first = np.floor(begun * (events - on)).astype(np.int64)
    visits: dict[int, np.ndarray] = {}
    found = np.empty(len(author), np.int64)
    for post, user in enumerate(author.tolist()):
        own = visits.setdefault(user, np.zeros(events, np.int32))
        found[post] = first[post] + np.argmin(own[first[post] : first[post] + on] + rng.random(on))
        own[found[post]] += 1
    return found


def _words_of_events(events: int, rng: np.random.Generator) -> np.ndarray:
    """`[events, 6]` words: one of p in each place, any two events share two at most.

    A Reed-Solomon code: an event is a polynomial of degree 2 modulo the prime p, which gives the
    word of each place; two polynomials agree in two places at most.
    """
    size = next(prime for prime in _WORDS_A_PLACE if prime**3 >= events)
    constant, rest = np.divmod(rng.permutation(size**3)[:events], size**2)
    linear, square = np.divmod(rest, size)
    place = np.arange(_WORDS_AN_EVENT)
    lines = constant[:, None] + linear[:, None] * place + square[:, None] * place**2
    words = rng.permutation(_EVENT_WORDS.split())[: _WORDS_AN_EVENT * size]
    return words.reshape(_WORDS_AN_EVENT, size)[place, lines % size]


def _texts(themes: np.ndarray, events: np.ndarray, rng: np.random.Generator) -> list[str]:
    """A common word, one of the theme's, the words of the event."""
    words = [theme.split()[:_WORDS_A_THEME] for theme in THEMES.values()]
    texts = []
    for theme, event in zip(themes, events, strict=True):
        common = _COMMON[rng.integers(len(_COMMON))]
        texts.append(" ".join([common, words[theme][rng.integers(_WORDS_A_THEME)], *event]))
    return texts


def _drawn(
    pool: np.ndarray, weights: np.ndarray, strength: float, rng: np.random.Generator
) -> list[list[int]]:
    """Hashtags of each post out of its row of `pool`, without replacement.

    As many random numbers are drawn whatever the strength.
    """
    count = np.floor(strength) + (rng.random(len(pool)) < strength % 1)
    keys = np.log(rng.random(pool.shape)) / weights  # largest first is a draw by weight
    order = np.argsort(-keys, axis=1, kind="stable")
    ranked = np.take_along_axis(pool, order, axis=1)
    return [row[: int(n)].tolist() for row, n in zip(ranked, count, strict=True)]


def _pictures(
    theme: int, mark: int, number: int, parameters: dict[str, Any]
) -> list[tuple[str, bytes]]:
    """Names and contents of a post's pictures; with several the first is never the theme's."""
    seed, size, count = (parameters[name] for name in ("seed", "picture_size", "pictures"))
    picture = _picture(theme, mark, seed, number, size)
    if count == 1:
        return [picture]
    rng = np.random.default_rng([seed, 2, number])
    place = int(rng.integers(1, count))
    marks = rng.integers(SCENES, size=count)
    contents = [encoded_picture(draw_nothing(int(one), rng, size), "JPEG") for one in marks]
    others = [(picture_name(content), content) for content in contents]
    return [picture if at == place else other for at, other in enumerate(others)]


def _picture(theme: int, mark: int, seed: int, number: int, size: int) -> tuple[str, bytes]:
    rng = np.random.default_rng([seed, 1, number])
    image_format = "PNG" if rng.random() < 0.25 else "JPEG"
    content = encoded_picture(draw_picture(theme, mark, rng, size), image_format)
    return picture_name(content), content


def _hashtags() -> dict[str, list[str]]:
    """Names of the hashtags of each source; three in a row belong together."""

    def triples(words: Any, endings: Any) -> Any:
        return [f"{word}{ending}" for word in words for ending in endings]

    return {
        "picture": triples([theme[0] for theme in PICTURE_THEMES], ("shot", "art", "style")),
        "text": triples(THEMES, ("talk", "fans", "daily")),
        "habit": triples(_FAVOURITES.split(), ("diary", "lover", "club")),
        "similar": triples(_GATHERINGS.split(), ("challenge", "crew", "meetup")),
        "noise": _FILLERS.split(),
    }
