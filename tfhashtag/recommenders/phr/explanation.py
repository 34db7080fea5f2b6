"""Why the hashtags of a post: attention, neighbours, and the parts of each score."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.encoders.vector_cache import GIVEN
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.evaluation.post_metrics import rank_labels
from tfhashtag.explain.explanation import (
    Bars,
    Column,
    Explanation,
    HeatMap,
    Items,
    Panel,
    Regions,
)
from tfhashtag.recommenders.phr.model import PhrModel
from tfhashtag.recommenders.phr.parts.mean_side import USED_HASHTAGS
from tfhashtag.retrieval.similar_hashtags import similar_hashtags
from tfhashtag.tasks.names import place_of
from tfhashtag.tasks.posts.label_signals import SIGNALS

_SIDES = {"own": "The user's similar posts", "others": "Similar posts by others"}
_HIDDEN = {"own": "own posts", "others": "others' posts"}
_LETTERS = {"visual": "V", "textual": "T", "own": "U", "others": "O"}
_SHOWN = 3  # best hashtags whose falls are told of each similar post
WORDS = {
    "bias": "how common it is",
    "text": "what the text says",
    "user": "what the user writes about",
    "name": "the text is close to its name",
    "picture": "what the picture shows",
    "own": "the user has used it",
    "own_share": "share of the user's posts with it",
    "own_similar": "the user's similar posts have it",
    "others_similar": "similar posts by others have it",
    "named": "the text spells it out",
    "own_names": "hashtags of the user's similar posts, by name",
    "others_names": "hashtags of others' similar posts, by name",
    "network": "the network of sides, co-attention, graph and MLP",
}


def explain_post(
    recommender: Any,
    post: str,
    hashtag: str | None = None,
    *,
    k: int = 9,
    pictures: str | pathlib.Path | None = None,
) -> Explanation:
    """Takes apart what a trained PHR says of one post of its corpus.

    Thesis 2024, Figures 6 and 8, section 4.4. Parts of a score are exact and add up to the logit:
    `network` is the path of the thesis, the others are those of `CountResidual`. Falls, of leaving
    something out, are exact differences of two logits, and do not add up.

    Args:
        recommender: a trained `phr` recommender, any variant.
        post: id of a post of any split.
        hashtag: one to explain besides, with or without `#`.
        k: how many of the best hashtags; those that the post has are explained besides.
        pictures: corpus folder that holds the pictures; a run folder has none. None: no picture is
            shown beneath its regions.

    Returns:
        Panels, those for which there is something to show: `parts` (bars) and `scores`, `falls`;
        of the sides `own` and `others` `post_tag_SIDE` (Figure 6) and `similar_SIDE`;
        `co_attention` (Figure 8), `regions`; `graph` (bars) and `neighbours`.

    Raises:
        ConfigError: `k` below 1.
        DataError: no such post or hashtag.
        ArtifactError: `pictures` lacks the post's picture.
    """
    if k < 1:
        raise ConfigError(f"`k` must be at least 1, found {k}.")
    corpus = recommender.corpus
    asked = None
    if hashtag is not None:
        asked = place_of(corpus.hashtags, hashtag.removeprefix("#"), "hashtag", corpus.name)
    row = place_of(corpus.post_ids, post, "post", corpus.name)
    return _Post(recommender, row).explain(k, asked, pictures)


_OF_ONE = (
    "The weights of the pairs with the picture over its regions, and how much a logit falls when a "
    "region is replaced by the mean of all."
)
_OF_FIRST = (
    "How much a logit falls when a region of the first picture is replaced by the mean of all of "
    "it; the other pictures stay."
)


class _Post:
    """One post before a trained model."""

    def __init__(self, recommender: Any, post: int) -> None:
        self.post, self.settings = post, recommender.settings
        self.corpus, self.labels = recommender.corpus, recommender.labels
        self.proposals = recommender.data.proposals
        self.model = recommender.model
        self.inputs, self.batch = recommender.inputs_of(np.array([post]))
        self.found = self.model.represent(self.batch)
        self.logits = np.asarray(self.model(self.batch, training=False), np.float64)[0]

    def explain(
        self, k: int, asked: int | None, pictures: str | pathlib.Path | None
    ) -> Explanation:
        corpus = self.corpus
        ranked = rank_labels(self.logits[None], len(self.logits), posts=np.array([self.post]))[0]
        true = set(corpus.hashtags_of_post(self.post).tolist())
        wanted = [] if asked is None else [asked]
        tags = self.labels.hashtags[ranked]
        shown = np.flatnonzero((np.arange(len(ranked)) < k) | np.isin(tags, [*true, *wanted]))
        labels = ranked[shown]
        names = [f"#{corpus.hashtags[tag]}" for tag in tags[shown]]
        marked = np.flatnonzero(np.isin(tags[shown], list(true))).tolist()
        picture, about_picture = self._picture(pictures)
        without, similar_without, regions = self._without(labels)
        neighbours = self._neighbours()
        panels = [
            *self._scores(labels, shown + 1, names, marked),
            *_falls(without, names),
            *(
                panel
                for side in ("own", "others")
                for panel in self._similar(side, similar_without, names[:_SHOWN])
            ),
            *self._co_attention(),
            *self._regions(picture, [values[:2] for values in regions], names),
            *neighbours,
        ]
        known = set(self.labels.hashtags.tolist())
        has = [
            f"#{corpus.hashtags[tag]}{'' if tag in known else ' (no label: too rare)'}"
            for tag in sorted(true)
        ]
        post = _about(self.corpus, self.post)
        split = Split(corpus.split_of_post[self.post]).name.lower()
        facts = [
            f"By {post['user']}, of the {split} posts. It has {', '.join(has) or 'no hashtag'}.",
            f"Model {self.settings.model}.",
            about_picture,
            ""
            if neighbours
            else "There is nothing of a graph: the model has none, or the post "
            "no similar train post.",
        ]
        about = {
            "model": self.settings.model,
            "post": post["post_id"],
            "user": post["user"],
            "split": split,
            "hashtags": names,
            "true_hashtags": post["hashtags"],
        }
        facts = [fact for fact in facts if fact]
        return Explanation(
            f"Hashtags for post {post['post_id']}", facts, panels, about, post["text"]
        )

    def _scores(
        self, labels: np.ndarray, ranks: np.ndarray, names: list[str], marked: list[int]
    ) -> list[Panel]:
        parts = {name: values.tolist() for name, values in self._parts(labels).items()}
        logits = self.logits[labels].tolist()
        ticked = [f"{'✓ ' if at in marked else ''}{name}" for at, name in enumerate(names)]
        return [
            Bars(
                key="parts",
                title="Parts of the scores",
                rows=[f"{name}  {rank}" for name, rank in zip(ticked, ranks, strict=True)],
                series={WORDS[name]: values for name, values in parts.items()},
                marks=("logit", logits),
                axis="parts of the logit (✓: the post has the hashtag; number: rank)",
                stacked=True,
                note="They add up to the logit, the diamond.",
            ),
            Items(
                key="scores",
                columns=[
                    Column("rank", ranks.tolist(), "rank"),
                    Column("hashtag", ticked, "name"),
                    Column("logit", logits),
                    *(Column(f"{WORDS[n]} ({n})", values) for n, values in parts.items()),
                ],
                marked=marked,
                note="The network is the path of the thesis; the other parts are those of the "
                "residual path and of `label_vectors`, where the model has them. Green: the post "
                "has the hashtag.",
            ),
        ]

    def _parts(self, labels: np.ndarray) -> dict[str, np.ndarray]:
        """Contributions to the logits of labels, float64 `[n]` each."""
        given = self.model, self.batch
        parts = {**_of_residual(*given), **_of_vectors(*given)}
        parts["network"] = self.logits - sum(parts.values())
        return {name: values[labels] for name, values in parts.items()}

    def _without(
        self, labels: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[tuple[str, int], np.ndarray], list[np.ndarray]]:
        """Falls of the logits: by side, by similar post of a side, by region of the picture."""
        batch = {name: np.asarray(values)[0] for name, values in self.batch.items()}
        hidden: dict[Any, dict[str, np.ndarray]] = {}

        def zeros(*names: str) -> dict[str, np.ndarray]:
            return {name: np.zeros_like(batch[name]) for name in names if name in batch}

        if batch["has_text"]:
            hidden["text"] = zeros("has_text", "text", "tokens", "neighbour_textual_mask")
        regions = 0
        if "visual" in self.model.sides and batch["has_image"]:
            pixels = batch["proposals"]
            names = ("has_image", "image_mask", "proposals", "neighbour_visual_mask")
            hidden |= {"picture": zeros(*names), **_pictures_hidden(batch)}
            regions = self.model.proposals  # of the first picture
            for region in range(regions):
                replaced = pixels.copy()
                replaced[region] = pixels[:regions].mean(axis=0)
                hidden["region", region] = {"proposals": replaced}
        for side in ("own", "others"):
            hidden |= self._hidden_of_side(side, batch)
        masks = [name for name in batch if name.startswith("neighbour_") and name.endswith("_mask")]
        if any(batch[name].any() for name in masks):
            hidden["graph"] = zeros(*masks)
        if not hidden:
            return {}, {}, []
        together = {
            name: np.stack([change.get(name, values) for change in hidden.values()])
            for name, values in batch.items()
        }
        seen = np.asarray(self.model(together, training=False), np.float64)[:, labels]
        falls = dict(zip(hidden, self.logits[labels] - seen, strict=True))
        return (
            {name: values for name, values in falls.items() if isinstance(name, str)},
            {name: values for name, values in falls.items() if name[0] in _SIDES},
            [falls["region", region] for region in range(regions)],
        )

    def _hidden_of_side(self, side: str, batch: Mapping[str, np.ndarray]) -> dict[Any, Any]:
        name = f"{side}_posts_mask"
        if side not in self.model.sides or name not in batch:
            return {}
        if self.model.sides[side].values == USED_HASHTAGS:
            mask = "used_hashtags_mask"
            return {"used hashtags": {mask: np.zeros_like(batch[mask])}}
        shown = batch[name]
        hidden: dict[Any, Any] = {}
        if shown.any():
            hidden[_HIDDEN[side]] = {name: np.zeros_like(shown)}
        for place in np.flatnonzero(shown).tolist():
            one = shown.copy()
            one[place] = False
            hidden[side, place] = {name: one}
        return hidden

    def _similar(
        self, side: str, without: Mapping[tuple[str, int], np.ndarray], best: list[str]
    ) -> list[Panel]:
        """Figure 6: post-tag attention over the similar posts of a side, and these posts."""
        if side not in self.model.sides or self.inputs.similar is None:
            return []
        if self.model.sides[side].values == USED_HASHTAGS:
            return []
        posts = getattr(self.inputs.similar, side)
        places = np.flatnonzero(posts[0] >= 0)
        if len(places) == 0:
            return []
        about = [_about(self.corpus, int(post)) for post in posts[0, places]]
        similarity = getattr(self.inputs.similar, f"{side}_similarity")[0, places]
        panels: list[Panel] = []
        columns = [*_columns(about), Column("similarity", similarity.astype(float).tolist())]
        layer = self.model.sides[side].attention
        if layer is not None:
            weights = np.asarray(self.found[f"{side}_attention"], np.float64)[0, places].tolist()
            columns.append(Column("attention", weights, "weight"))
            panels += self._post_tag(side, layer, posts, places, about, weights)
        for at, name in enumerate(best):
            falls = [float(without[side, place][at]) for place in places.tolist()]
            columns.append(Column(f"fall of {name} without it", falls))
        return [*panels, Items(key=f"similar_{side}", title=_SIDES[side], columns=columns)]

    def _post_tag(
        self,
        side: str,
        layer: Any,
        posts: np.ndarray,
        places: np.ndarray,
        about: Sequence[Mapping[str, Any]],
        weights: list[float],
    ) -> list[HeatMap]:
        data = self.settings.data
        count = data.own_hashtags if side == "own" else data.other_hashtags
        tags = similar_hashtags(self.corpus, self.inputs.posts, posts, count)[0]
        if not (tags >= 0).any():
            return []
        values = layer.correlation(self.batch[f"{side}_posts"], self.batch[f"{side}_hashtags"])
        values = np.asarray(values, np.float64)[0][places][:, tags >= 0]
        return [
            HeatMap(
                key=f"post_tag_{side}",
                title=f"Post-tag attention: {_SIDES[side].lower()}",
                rows=_rows(about),
                columns=[f"#{self.corpus.hashtags[tag]}" for tag in tags[tags >= 0]],
                values=values.tolist(),
                weights=("weight π", weights),
                signed=True,
                note="Figure 6, equation (14): similar posts by the hashtags that most of them "
                "have. Left the weights of the posts, right Q, in (-1, 1).",
            )
        ]

    def _pairs(self) -> list[tuple[str, tuple[str, str], list[float]]]:
        """Name, sides and weights over the proposals of each direction of each pair of sides."""
        if "co_attention" not in self.found:
            return []
        weights = np.asarray(self.found["co_attention"], np.float64)[0]
        return [
            (f"π {_LETTERS[one]},{_LETTERS[other]} ({15 + way})", (one, other), row.tolist())
            for (first, second), rows in zip(self.model.pairs, weights, strict=False)
            for way, ((one, other), row) in enumerate(
                zip(((first, second), (second, first)), rows, strict=True)
            )
        ]

    def _co_attention(self) -> list[HeatMap]:
        pairs = self._pairs()
        if not pairs:
            return []
        return [
            HeatMap(
                key="co_attention",
                title="Co-attention",
                rows=[name for name, _, _ in pairs],
                columns=[str(place + 1) for place in range(len(pairs[0][2]))],
                values=[values for _, _, values in pairs],
                axis="proposal",
                note="Figure 8, equations (15) and (16): weights of each pair of sides (V picture, "
                "T text, U own posts, O others' posts) over the proposals.",
            )
        ]

    def _regions(
        self, picture: bytes | None, regions: Sequence[np.ndarray], names: list[str]
    ) -> list[Regions]:
        """Weights of the pairs with a picture, and falls of the best logits, over the picture."""
        side = round(self.model.proposals**0.5) if "visual" in self.model.sides else 0
        is_grid = self.settings.image_encoder != GIVEN and side**2 == self.model.proposals
        several = np.sum(self.batch.get("image_mask", False)) > 1
        maps = [(name, values, False) for name, pair, values in self._pairs() if "visual" in pair]
        if not regions or not is_grid or not maps:
            return []
        if several:  # the pairs weigh what all pictures together show
            maps = []
        for name, falls in zip(names, np.transpose(regions).tolist(), strict=False):
            maps.append((f"fall of {name}", falls, True))
        return [
            Regions(
                key="regions",
                title="Regions of picture 1" if several else "Regions of the picture",
                side=side,
                maps=maps,
                picture=picture,
                note=_OF_FIRST if several else _OF_ONE,
            )
        ]

    def _neighbours(self) -> list[Panel]:
        """What the graph links the post to."""
        if not self.model.linked:
            return []
        graph = self.model.graph
        weights = np.asarray(graph.neighbour_weights(self.found, self.batch), np.float64)[0]
        posts = self.inputs.neighbours()[0]
        places = np.flatnonzero(posts >= 0)
        places = places[np.argsort(-weights[places].max(axis=1), kind="stable")]
        if len(places) == 0:
            return []
        about = [_about(self.corpus, int(post)) for post in posts[places]]
        found = {name: weights[places, at].tolist() for at, name in enumerate(graph.link_names)}
        return [
            Bars(
                key="graph",
                title="Neighbours in the graph of posts",
                rows=_rows(about),
                series=found,
                axis="weight of the edge, 0: not linked",
            ),
            Items(
                key="neighbours",
                columns=[*_columns(about), *(Column(n, values) for n, values in found.items())],
            ),
        ]

    def _picture(self, folder: str | pathlib.Path | None) -> tuple[bytes | None, str]:
        """The post's first picture that can be read, or why there is none to show."""
        if "visual" not in self.model.sides:
            return None, "The model reads no pictures."
        if not bool(self.batch["has_image"][0]):
            return None, "The post has no picture."
        names = () if self.corpus.images is None else self.corpus.images[self.post]
        if not names:
            return None, "The post came with vectors of its picture, not with the picture."
        if folder is None:
            return None, "The run folder holds no pictures; give the corpus folder to see this one."
        broken = self.proposals.broken if self.proposals is not None else ()
        path = pathlib.Path(folder) / next(name for name in names if name not in broken)
        if not path.is_file():
            raise ArtifactError(
                f"{path}: no such picture; give the corpus folder that the run was trained on."
            )
        return path.read_bytes(), ""


def _about(corpus: Corpus, post: int) -> dict[str, Any]:
    return {
        "post_id": corpus.post_ids[post],
        "user": corpus.users[corpus.user_of_post[post]],
        "text": corpus.messages[corpus.message_of_post[post]],
        "hashtags": [f"#{corpus.hashtags[tag]}" for tag in corpus.hashtags_of_post(post)],
    }


def _pictures_hidden(batch: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """The inputs without each picture of a post that has several."""
    mask = batch.get("image_mask", np.ones(1, bool))
    there = np.flatnonzero(mask) if mask.sum() > 1 else np.zeros(0, int)
    return {
        f"picture {place + 1}": {"image_mask": mask & (np.arange(len(mask)) != place)}
        for place in there.tolist()
    }


def _falls(without: Mapping[str, np.ndarray], names: list[str]) -> list[Items]:
    if not without:
        return []
    return [
        Items(
            key="falls",
            title="Without a part of the post",
            columns=[
                Column("fall of the logit without", names, "name"),
                *(Column(part, values.tolist()) for part, values in without.items()),
            ],
            note="Falls do not add up. Without similar posts the counts of the residual path stay.",
        )
    ]


def _rows(about: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{post['user']}: {post['text']}" for post in about]


def _columns(about: Sequence[Mapping[str, Any]]) -> list[Column]:
    return [
        Column("post", [post["text"] for post in about], "text"),
        Column("user", [post["user"] for post in about], "name"),
        Column("hashtags", [" ".join(post["hashtags"]) for post in about], "text"),
    ]


def _of_vectors(model: PhrModel, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the hashtags of similar posts say through the names of labels, float64 `[L]`."""
    vectors = model.head.vectors
    if vectors is None:
        return {}
    guidance = model.guidance(batch, model.represent(batch))
    return {
        f"{side}_names": np.asarray(vectors.said(side, batch, guidance.get(side)), np.float64)[0]
        for side in vectors.sides
    }


def _of_residual(model: PhrModel, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Parts of the residual path, float64 `[L]` each."""
    residual = model.residual
    if residual is None:
        return {}
    read = keras.tree.map_structure(np.asarray, residual.read(batch))
    nothing = {name: np.zeros_like(values) for name, values in read.items()}
    nothing["labels"] = read["labels"]

    def path(**inputs: np.ndarray) -> np.ndarray:
        return np.asarray(residual(**{**nothing, **inputs}), np.float64)[0]

    # Linear in what it reads, so each input by itself gives its part exactly.
    bias = path()
    weight = np.asarray(residual.weight, np.float64) / np.asarray(residual.scale, np.float64)
    text = np.asarray(read["text"][0], np.float64)
    text = text / max(np.sqrt(np.sum(text * text)), 1e-6)
    name = weight[-1] * (text @ np.asarray(residual.names, np.float64))
    parts = {
        "bias": bias,
        "text": path(text=read["text"]) - bias - name,
        "user": path(user=read["user"]) - bias,
        "name": name,
    }
    if "visual" in read:
        parts["picture"] = path(visual=read["visual"]) - bias
    for at, signal in enumerate(SIGNALS):
        alone = np.zeros_like(read["signals"])
        alone[..., at] = read["signals"][..., at]
        parts[signal] = path(signals=alone) - bias
    return parts
