"""The systems of the thesis's Tables 2 to 5 (2024) and the plain rules to beat."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterable

import numpy as np

from tfhashtag.comparison.names import chosen_names
from tfhashtag.comparison.outcome import flat
from tfhashtag.comparison.post_task import PostTask
from tfhashtag.comparison.run_data import complete_runs, tidy
from tfhashtag.comparison.system import Ranked, System
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ConfigError
from tfhashtag.files import atomic_writer
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.phr.settings import PhrNetwork, PhrSettings
from tfhashtag.recommenders.post_settings import PostSettings
from tfhashtag.recommenders.rules.posts import (
    NearestPosts,
    OwnHashtags,
    PopularHashtags,
    PostScorer,
    own_and_nearest,
)
from tfhashtag.settings import dump_settings

REFERENCE = "PHR"
NO_IMAGES = "no images"

# What tells systems apart: `--set` changes these of PHR and its variants alone.
SWITCHES = (
    "network.memory",
    "network.post_tag_attention",
    "network.pairing",
    "network.sides",
    "network.own_side",
    "network.graph",
    "network.relations",
    "network.activation",
    "network.residual",
)
# What everybody shares with PHR, so that models differ and not what they are given.
SHARED = ("text_encoder", "image_encoder", "network.proposals", "data.minimum_posts")


@dataclasses.dataclass(frozen=True)
class Variant:
    """PHR with one switch turned.

    Attributes:
        name, about: as in `System`.
        changes: from PHR's settings to `--set` values.
        part: whether PHR has at all what the variant is without.
        visual: whether it differs from PHR by something visual, so that it needs images.
    """

    name: str
    about: str
    changes: Callable[[PhrSettings], list[str]]
    part: Callable[[PhrNetwork], bool]
    visual: bool = False


def _without(key: str, value: str) -> Callable[[PhrSettings], list[str]]:
    def changes(settings: PhrSettings) -> list[str]:
        values = getattr(settings.network, key)
        return [f"network.{key}=[{', '.join(other for other in values if other != value)}]"]

    return changes


def _set(override: str) -> Callable[[PhrSettings], list[str]]:
    return lambda settings: [override]


def _linked(relation: str) -> Callable[[PhrNetwork], bool]:
    return lambda net: net.graph != "none" and relation in net.relations and relation in net.sides


def _has_side(side: str) -> Callable[[PhrNetwork], bool]:
    return lambda net: side in net.sides


VARIANTS = (
    Variant(
        "PHR-MN",
        "without the memory network",
        _set("network.memory=false"),
        lambda net: net.memory and "visual" in net.sides,
        visual=True,
    ),
    Variant(
        "PHR-PTA",
        "without post-tag attention: similar posts count alike",
        _set("network.post_tag_attention=false"),
        lambda net: net.post_tag_attention and bool({"own", "others"} & set(net.sides)),
    ),
    Variant(
        "PHR-SCA",
        "without sextuplet co-attention: sides are summed",
        _set("network.pairing=none"),
        lambda net: net.pairing != "none",
    ),
    Variant(
        "PHR-CR",
        "without the residual path of counts (not in the thesis)",
        _set("network.residual=false"),
        lambda net: net.residual,
    ),
    Variant(
        "PHR-V",
        "without visual features",
        _without("sides", "visual"),
        _has_side("visual"),
        visual=True,
    ),
    Variant(
        "PHR-T", "without textual features", _without("sides", "textual"), _has_side("textual")
    ),
    Variant(
        "PHR-U", "without the user's similar posts", _without("sides", "own"), _has_side("own")
    ),
    Variant(
        "PHR-O",
        "without similar posts by others",
        _without("sides", "others"),
        _has_side("others"),
    ),
    Variant(
        "PHR-TR",
        "without textual relations",
        _without("relations", "textual"),
        _linked("textual"),
    ),
    Variant(
        "PHR-VR",
        "without visual relations",
        _without("relations", "visual"),
        _linked("visual"),
        visual=True,
    ),
)


def _nearest_by_image(task: PostTask) -> PostScorer:
    return NearestPosts(task.corpus, task.labels, task.text_vectors, task.visual, omega=1.0)


RULES: dict[str, tuple[str, Callable[[PostTask], PostScorer], bool]] = {
    "Popularity": (
        "train posts with the hashtag",
        lambda task: PopularHashtags(task.corpus, task.labels),
        False,
    ),
    "Own hashtags": (
        "the user's own most frequent hashtags",
        lambda task: OwnHashtags(task.corpus, task.labels),
        False,
    ),
    "Nearest by text": (
        "hashtags of the 20 posts with the nearest text",
        lambda task: NearestPosts(task.corpus, task.labels, task.text_vectors),
        False,
    ),
    "Nearest by image": (
        "hashtags of the 20 posts with the nearest image",
        _nearest_by_image,
        True,
    ),
    "Own + nearest": (
        "own counts plus the cosines of the 20 nearest posts by text",
        lambda task: own_and_nearest(task.corpus, task.labels, task.text_vectors),
        False,
    ),
}

# Which systems stand in which table, in the order of their rows.
TABLES = (
    (
        "table2",
        "Table 2. Top 9 hashtags",
        (*RULES, "MaCon", "TAGNet", "PHR"),
    ),
    (
        "table3",
        "Table 3. Variants without a component",
        ("PHR-MN", "PHR-PTA", "PHR-SCA", "PHR-CR", "PHR"),
    ),
    (
        "table4",
        "Table 4. Variants without a type of features",
        ("PHR-V", "PHR-T", "PHR-U", "PHR-O", "PHR"),
    ),
    (
        "table5",
        "Table 5. Variants without a relation of the graph",
        ("PHR-TR", "PHR-VR", "PHR"),
    ),
)
NAMES = ("PHR", "MaCon", "TAGNet", *(variant.name for variant in VARIANTS), *RULES)


class PostSettingsOf:
    """The settings of every trained system.

    Args:
        config: PHR's configuration, a name or a file.
        corpus: the posts; without images `image_encoder` is none for everybody.
        overrides: `key=value` for all systems that have the key, switches for PHR and its variants
            alone; `SYSTEM:key=value` for one system.

    Raises:
        ConfigError: a key that no system has, an unknown system, or a configuration of another
            model.
    """

    def __init__(self, config: str | os.PathLike, corpus: Corpus, overrides: Iterable[str] = ()):
        self.config = config
        self.common: list[str] = []
        self.own: dict[str, list[str]] = {}
        for override in overrides:
            system, colon, rest = override.partition("=")[0].partition(":")
            if colon:
                name = chosen_names([system], NAMES)[0]
                if name in RULES:
                    raise ConfigError(f"--set {override}: {name} is a rule without settings.")
                self.own.setdefault(name, []).append(override[len(system) + 1 :])
                self._refuse_shared(name, rest, override)
            else:
                self.common.append(override)
        self.images = has_images(corpus)
        self.no_images = NO_IMAGES
        given = flat(load_settings(config).model_dump())
        if given["model"] != "phr":
            raise ConfigError(f"{config}: `model` is {given['model']!r}, expected 'phr'.")
        self._known = {name: set(flat(load_settings(name).model_dump())) for name in _PEERS}
        self._phr_keys = set(given)
        self.phr = self._phr(REFERENCE, [])
        if self.images and self.phr.image_encoder == "none":
            self.images, self.no_images = False, "no images are read, `image_encoder` is none"

    def of(self, name: str) -> PostSettings:
        """The settings of a trained system."""
        if name == REFERENCE:
            return self.phr
        if name in _PEERS.values():
            return self._peer(name)
        variant = next(variant for variant in VARIANTS if variant.name == name)
        return self._phr(name, variant.changes(self.phr))

    def not_applicable(self, name: str) -> str:
        """Why a system cannot be compared on this corpus, "" where it can."""
        variant = next((variant for variant in VARIANTS if variant.name == name), None)
        visual = variant.visual if variant else name in RULES and RULES[name][2]
        if visual and not self.images:
            return self.no_images
        if variant is None or variant.part(self.phr.network):
            return ""
        return "PHR is configured without it"

    def _phr(self, name: str, changes: list[str]) -> PhrSettings:
        peers = set().union(*self._known.values())
        # A key that MaCon alone has is none of PHR's; one that nobody has is an error here.
        common = [o for o in self.common if _key(o) in self._phr_keys or _key(o) not in peers]
        images = [] if self.images else ["image_encoder=none"]
        settings = load_settings(self.config, [*common, *images, *changes, *self.own.get(name, [])])
        if not isinstance(settings, PhrSettings):
            raise ConfigError(f"{self.config}: `model` is {settings.model!r}, expected 'phr'.")
        return settings

    def _peer(self, name: str) -> PostSettings:
        config = next(config for config, system in _PEERS.items() if system == name)
        ours = flat(self.phr.model_dump())
        shared = [f"{key}={json.dumps(ours[key])}" for key in SHARED]
        if isinstance(load_settings(config), PhrSettings):
            shared.append(f"network.text={self.phr.network.text}")
            if not self.images:
                shared += ["network.relations=[textual]", "data.visual_share=0.0"]
        common = [
            override
            for override in self.common
            if _key(override) in self._known[config] and _key(override) not in SWITCHES
        ]
        settings = load_settings(config, [*common, *shared, *self.own.get(name, [])])
        if not isinstance(settings, PostSettings):
            raise ConfigError(f"{config}: `model` is {settings.model!r}, no model of posts.")
        return settings

    @staticmethod
    def _refuse_shared(name: str, key: str, override: str) -> None:
        if key in (*SHARED, "seed") and name != REFERENCE:
            raise ConfigError(
                f"--set {override}: `{key}` is the same for all systems; set it without `{name}:`."
            )


_PEERS = {"macon": "MaCon", "tagnet": "TAGNet"}


def _key(override: str) -> str:
    return override.partition("=")[0].strip()


def has_images(corpus: Corpus) -> bool:
    """Whether a post of the corpus has an image or given proposals."""
    rows = corpus.proposal_rows
    return any(corpus.images or ()) or (rows is not None and bool(np.any(rows >= 0)))


class TrainedSystem:
    """Trains, goes on with what was interrupted, and ranks.

    Args:
        task: the posts.
        settings: of the model; the seed is set anew for each run.
        options: `TrainingOptions`.
    """

    def __init__(self, task: PostTask, settings: PostSettings, options):
        self.task = task
        self.settings = settings
        self.options = options

    def rank(self, seed: int, folder: pathlib.Path) -> Ranked:
        """Trains in `folder/training` and ranks the test posts."""
        import gc

        import keras

        from tfhashtag.runs.train import train

        # Variables are named by what the process made before; a checkpoint must not know that.
        keras.backend.clear_session()
        gc.collect()
        settings = self.settings.model_copy(update={"seed": seed})
        path = folder / "settings.yaml"
        with atomic_writer(path) as file:
            file.write(dump_settings(settings))
        run = train(
            path,
            self.task.data,
            folder / "training",
            resume=True,
            options=self.options,
        )
        scores = run.recommender.score_posts(self.task.posts)
        ranked = self.task.write(folder, scores, seed)
        tidy(run.folder, complete_runs(folder.parent.parent))
        return ranked


def post_systems(
    names: Iterable[str], settings: PostSettingsOf, task: PostTask, options
) -> list[System]:
    """The systems of those names over the task.

    Args:
        names: out of `NAMES`.
        settings: of every trained system.
        task: the posts.
        options: `TrainingOptions`.
    """
    systems = []
    ours = flat(settings.phr.model_dump())
    shared = {key: ours[key] for key in SHARED}
    data = {"data": task.corpus.digest}
    for name in names:
        missing = settings.not_applicable(name)
        if name in RULES:
            about, rule, _ = RULES[name]
            identity = {**data, "rule": name, **shared}
            systems.append(System(name, about, _ranked_by(rule, task), identity, missing))
            continue
        if missing:
            systems.append(System(name, _about(name), _never, {}, missing))
            continue
        found = settings.of(name)
        identity = {**data, "settings": found.model_copy(update={"seed": 0}).model_dump()}
        trained = TrainedSystem(task, found, options)
        systems.append(System(name, _about(name), trained.rank, identity))
    return systems


def _about(name: str) -> str:
    known = {
        "PHR": "the whole model",
        "MaCon": "parallel co-attention over the post and the user's latest posts (AAAI 2019)",
        "TAGNet": "triplet attention and aggregated graph convolution (TCSVT 2022), parts inferred",
    }
    return known.get(name) or next(v.about for v in VARIANTS if v.name == name)


def _ranked_by(rule: Callable[[PostTask], PostScorer], task: PostTask):
    def rank(seed: int, folder: pathlib.Path) -> Ranked:
        return task.write(folder, rule(task).score(task.posts), seed)

    return rank


def _never(seed: int, folder: pathlib.Path) -> Ranked:
    raise RuntimeError("a system that is not applicable is never ranked")
