"""Why the hashtags of a post: attention, neighbours, and the parts of each score."""

import dataclasses
import pathlib

import keras
import numpy as np

from tfhashtag.encoders.proposal_cache import GIVEN
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.evaluation.post_metrics import rank_labels
from tfhashtag.explain.lookup import check_model
from tfhashtag.recommenders.phr.parts.mean_side import USED_HASHTAGS
from tfhashtag.retrieval.similar_hashtags import similar_hashtags
from tfhashtag.runs.run import Run
from tfhashtag.tasks.names import place_of
from tfhashtag.tasks.posts.label_signals import SIGNALS

SIDE_NAMES = {
    "visual": "picture",
    "textual": "text",
    "own": "own posts",
    "others": "others' posts",
}
_LETTERS = {"visual": "V", "textual": "T", "own": "U", "others": "O"}


@dataclasses.dataclass(frozen=True)
class SimilarPost:
    """A post that the model looked at.

    Attributes:
        post_id, user, text, hashtags: of the post.
        similarity: by equation (13).
        attention: its weight pi of equation (14); None in a model without post-tag attention.
        correlation: its row of Q, a value in (-1, 1) for each of the hashtags beside it.
        without: for each of the top hashtags, how much its logit falls when the model does not see
            this post on this side. Not additive; the counts of the residual path stay.
    """

    post_id: str
    user: str
    text: str
    hashtags: list[str]
    similarity: float
    attention: float | None
    correlation: list[float]
    without: list[float]


@dataclasses.dataclass(frozen=True)
class PostTagMap:
    """Figure 6 of the thesis (2024): post-tag attention over similar posts.

    Attributes:
        side: `"own"` or `"others"`.
        hashtags: the columns.
        posts: the rows, most similar first.
    """

    side: str
    hashtags: list[str]
    posts: list[SimilarPost]


@dataclasses.dataclass(frozen=True)
class CoAttentionMap:
    """One row of Figure 8: weights of a pair of sides over the m proposals.

    Attributes:
        name: such as `"T,V"`: pi of equation (15) or (16) with these superscripts.
        sides: the two sides.
        equation: 15 or 16.
        weights: float `[m]`, a distribution.
    """

    name: str
    sides: tuple[str, str]
    equation: int
    weights: list[float]


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """A train post that the graph links the post to.

    Attributes:
        post_id, user, text, hashtags: of the neighbour.
        weights: of each relation, 0 where it does not link them.
    """

    post_id: str
    user: str
    text: str
    hashtags: list[str]
    weights: dict[str, float]


@dataclasses.dataclass(frozen=True)
class HashtagParts:
    """The score of one hashtag, taken apart.

    Attributes:
        hashtag: its name.
        rank: from 1.
        true: whether the post has it.
        logit: the score.
        parts: additive contributions by name; their sum is the logit, up to rounding. `network` is
            the path of the thesis (sides, co-attention, graph, MLP); the others are those of
            `CountResidual`: `bias`, `text`, `user`, `picture`, `name` and its signals.
        without: by what is hidden from the whole model (`text`, `picture`, `own posts`, `others'
            posts`, `graph`), how much the logit falls. Not additive.
        regions: float `[m]`, how much the logit falls when a region of the picture is replaced by
            the mean of all; empty without a picture. Not additive.
    """

    hashtag: str
    rank: int
    true: bool
    logit: float
    parts: dict[str, float]
    without: dict[str, float]
    regions: list[float]


@dataclasses.dataclass(frozen=True)
class PostExplanation:
    """What `explain_post` found.

    Attributes:
        run, model, post_id, user, text, split: of the post.
        true_hashtags: what the post has; (name, whether it is a label that can be predicted).
        hashtags: the top k, best first, and then true labels below them.
        post_tag: Figure 6 for either side that has similar posts.
        co_attention: Figure 8 for this post; empty in a model without co-attention.
        neighbours: of the graph; empty in a model without one.
        relations: names of its relations.
        picture: path of the picture's file, or None.
        picture_note: why there is none to show; empty where there is one.
        grid: side of the grid of the picture's regions; 0 where regions are no grid.
    """

    run: str
    model: str
    post_id: str
    user: str
    text: str
    split: str
    true_hashtags: list[tuple[str, bool]]
    hashtags: list[HashtagParts]
    post_tag: list[PostTagMap]
    co_attention: list[CoAttentionMap]
    neighbours: list[Neighbour]
    relations: list[str]
    picture: str | None
    picture_note: str
    grid: int


def explain_post(run, post: str, k: int = 9, data=None) -> PostExplanation:
    """Takes apart what a trained PHR says of one post of its corpus.

    Thesis 2024, Figures 6 and 8, section 4.4. Contributions (`HashtagParts.parts`) are exact and
    add up to the logit; effects of leaving something out are exact differences of two logits, and
    do not.

    Args:
        run: folder of a complete run of `model: phr`, any variant.
        post: id of a post of any split.
        k: how many of the best hashtags.
        data: corpus folder that holds the pictures; a run folder has none. None: no picture is
            shown beneath its regions.

    Raises:
        ConfigError: a run of another kind, or `k` below 1.
        DataError: no such post.
        ArtifactError: the run is not complete, or `data` lacks the post's picture.
    """
    opened = Run.open(run)
    check_model(opened, ("phr",), "a post's explanation")
    if k < 1:
        raise ConfigError(f"`k` must be at least 1, found {k}.")
    row = place_of(opened.corpus.post_ids, post, "post", opened.corpus.name)
    return _Post(opened, opened.recommender, row).explain(k, data)


class _Post:
    """One post before a trained model."""

    def __init__(self, run, recommender, post: int):
        self.run, self.recommender, self.post = run, recommender, post
        self.corpus, self.labels = recommender.corpus, recommender.labels
        self.model, self.data = recommender.model, recommender.settings.data
        self.inputs, self.batch = recommender.inputs_of(np.array([post]))
        self.found = self.model.represent(self.batch)
        self.logits = np.asarray(self.model(self.batch, training=False), np.float64)[0]

    def explain(self, k: int, data) -> PostExplanation:
        corpus = self.corpus
        ranked = rank_labels(self.logits[None], len(self.logits), posts=np.array([self.post]))[0]
        true = set(corpus.hashtags_of_post(self.post).tolist())
        shown = [
            (rank, int(label))
            for rank, label in enumerate(ranked, 1)
            if rank <= k or int(self.labels.hashtags[label]) in true
        ]
        labels = np.array([label for _, label in shown])
        known = set(self.labels.hashtags.tolist())
        picture, note = self._picture(data)
        parts = self._parts(labels)
        without, similar_without, regions = self._without(labels)
        hashtags = [
            HashtagParts(
                corpus.hashtags[self.labels.hashtags[label]],
                rank,
                int(self.labels.hashtags[label]) in true,
                float(self.logits[label]),
                {name: float(values[at]) for name, values in parts.items()},
                {name: float(values[at]) for name, values in without.items()},
                [float(region[at]) for region in regions],
            )
            for at, (rank, label) in enumerate(shown)
        ]
        return PostExplanation(
            run=str(self.run.folder),
            model=self.run.settings.model,
            post_id=corpus.post_ids[self.post],
            user=corpus.users[corpus.user_of_post[self.post]],
            text=corpus.messages[corpus.message_of_post[self.post]],
            split=("train", "valid", "test")[corpus.split_of_post[self.post]],
            true_hashtags=[(corpus.hashtags[tag], tag in known) for tag in sorted(true)],
            hashtags=hashtags,
            post_tag=self._post_tag(similar_without),
            co_attention=self._co_attention(),
            neighbours=self._neighbours(),
            relations=self._relations(),
            picture=picture,
            picture_note=note,
            grid=self._grid(),
        )

    def _parts(self, labels: np.ndarray) -> dict[str, np.ndarray]:
        """Contributions to the logits of labels, float64 `[n]` each."""
        residual = self.model.residual
        if residual is None:
            return {"network": self.logits[labels]}
        read = keras.tree.map_structure(np.asarray, residual.read(self.batch))
        nothing = {name: np.zeros_like(values) for name, values in read.items()}
        nothing["labels"] = read["labels"]

        def path(**inputs):
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
        parts["network"] = self.logits - path(**read)
        return {name: values[labels] for name, values in parts.items()}

    def _without(self, labels):
        """Falls of the logits: by side, by similar post of a side, by region of the picture."""
        variants: list[dict] = []

        def hide(**changes):
            variants.append({name: values[None] for name, values in changes.items()})
            return len(variants) - 1

        batch = {name: np.asarray(values)[0] for name, values in self.batch.items()}
        sides, similar, regions = {}, {}, []
        if batch["has_text"]:
            changes = {"has_text": np.array(False), "text": np.zeros_like(batch["text"])}
            changes["tokens"] = np.zeros_like(batch["tokens"])
            if "neighbour_textual_mask" in batch:
                changes["neighbour_textual_mask"] = np.zeros_like(batch["neighbour_textual_mask"])
            sides["text"] = hide(**changes)
        if "visual" in self.model.sides and batch["has_image"]:
            pixels = batch["proposals"]
            changes = {"has_image": np.array(False), "proposals": np.zeros_like(pixels)}
            if "neighbour_visual_mask" in batch:
                changes["neighbour_visual_mask"] = np.zeros_like(batch["neighbour_visual_mask"])
            sides["picture"] = hide(**changes)
            for region in range(len(pixels)):
                replaced = pixels.copy()
                replaced[region] = pixels.mean(axis=0)
                regions.append(hide(proposals=replaced))
        for side in ("own", "others"):
            name = f"{side}_posts_mask"
            if side not in self.model.sides or name not in batch:
                continue
            if self.model.sides[side].values == USED_HASHTAGS:
                used = np.zeros_like(batch["used_hashtags_mask"])
                sides["used hashtags"] = hide(used_hashtags_mask=used)
                continue
            mask = batch[name]
            if mask.any():
                sides[SIDE_NAMES[side]] = hide(**{name: np.zeros_like(mask)})
            for place in np.flatnonzero(mask):
                one = mask.copy()
                one[place] = False
                similar[side, int(place)] = hide(**{name: one})
        masks = [name for name in batch if name.startswith("neighbour_") and name.endswith("_mask")]
        if any(batch[name].any() for name in masks):
            sides["graph"] = hide(**{name: np.zeros_like(batch[name]) for name in masks})
        if not variants:
            return {}, {}, []
        together = {
            name: np.concatenate([change.get(name, values[None]) for change in variants])
            for name, values in batch.items()
        }
        seen = np.asarray(self.model(together, training=False), np.float64)[:, labels]
        falls = self.logits[labels] - seen
        return (
            {name: falls[at] for name, at in sides.items()},
            {place: falls[at] for place, at in similar.items()},
            [falls[at] for at in regions],
        )

    def _post_tag(self, without) -> list[PostTagMap]:
        maps = []
        for side in ("own", "others"):
            if side not in self.model.sides or self.inputs.similar is None:
                continue
            if self.model.sides[side].values == USED_HASHTAGS:
                continue
            posts = getattr(self.inputs.similar, side)
            if not (posts[0] >= 0).any():
                continue
            similarity = getattr(self.inputs.similar, f"{side}_similarity")[0]
            count = self.data.own_hashtags if side == "own" else self.data.other_hashtags
            tags = similar_hashtags(self.corpus, self.inputs.posts, posts, count)[0]
            real = tags >= 0
            layer = self.model.sides[side].attention
            weights = correlation = None
            if layer is not None:
                weights = np.asarray(self.found[f"{side}_attention"], np.float64)[0]
                correlation = layer.correlation(
                    self.batch[f"{side}_posts"], self.batch[f"{side}_hashtags"]
                )
                correlation = np.asarray(correlation, np.float64)[0][:, real]
            rows = [
                SimilarPost(
                    **self._about(int(post)),
                    similarity=float(similarity[at]),
                    attention=None if weights is None else float(weights[at]),
                    correlation=[] if correlation is None else correlation[at].tolist(),
                    without=without[side, at].tolist(),
                )
                for at, post in enumerate(posts[0])
                if post >= 0
            ]
            maps.append(PostTagMap(side, [self.corpus.hashtags[tag] for tag in tags[real]], rows))
        return maps

    def _co_attention(self) -> list[CoAttentionMap]:
        if "co_attention" not in self.found:
            return []
        weights = np.asarray(self.found["co_attention"], np.float64)[0]
        maps = []
        for at, (first, second) in enumerate(self.model.pairs):
            for direction, (one, other) in enumerate(((first, second), (second, first))):
                name = f"{_LETTERS[one]},{_LETTERS[other]}"
                values = weights[at, direction].tolist()
                maps.append(CoAttentionMap(name, (one, other), 15 + direction, values))
        return maps

    def _relations(self) -> list[str]:
        return list(self.model.graph.link_names)

    def _neighbours(self) -> list[Neighbour]:
        if not self.model.linked:
            return []
        weights = np.asarray(
            self.model.graph.neighbour_weights(self.found, self.batch), np.float64
        )[0]
        posts, names = self.inputs.neighbours()[0], self._relations()
        linked = [
            Neighbour(**self._about(int(post)), weights=dict(zip(names, row, strict=True)))
            for post, row in zip(posts, weights.tolist(), strict=True)
            if post >= 0
        ]
        return sorted(linked, key=lambda neighbour: -max(neighbour.weights.values()))

    def _about(self, post: int) -> dict:
        corpus = self.corpus
        return {
            "post_id": corpus.post_ids[post],
            "user": corpus.users[corpus.user_of_post[post]],
            "text": corpus.messages[corpus.message_of_post[post]],
            "hashtags": [corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post)],
        }

    def _grid(self) -> int:
        """Side of the grid of regions; 0 where proposals are not cells of a grid."""
        if "visual" not in self.model.sides or self.run.settings.image_encoder == GIVEN:
            return 0
        side = round(self.model.proposals**0.5)
        return side if side * side == self.model.proposals else 0

    def _picture(self, data) -> tuple[str | None, str]:
        if "visual" not in self.model.sides:
            return None, "The model reads no pictures."
        if not bool(self.batch["has_image"][0]):
            return None, "The post has no picture."
        name = "" if self.corpus.images is None else self.corpus.images[self.post]
        if not name:
            return None, "The post came with vectors of its picture, not with the picture."
        if data is None:
            return None, "The run folder holds no pictures; give the corpus folder to see this one."
        path = pathlib.Path(data) / name
        if not path.is_file():
            raise ArtifactError(
                f"{path}: no such picture; give the corpus folder that the run was trained on."
            )
        return str(path), ""
