"""Validated configuration: a YAML file, a strict schema, dotted overrides, clear errors."""

import difflib
import importlib.resources
import os
import pathlib
import re
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import pydantic
import pydantic_core
import yaml
from pydantic import Field

from tfhashtag.errors import ConfigError


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False
    )


class RecommenderSettings(_Section):
    """What the settings of every recommender have."""

    model: str
    text_encoder: str = "minilm"
    seed: int = Field(0, ge=0, lt=2**31)


def _falls_before_it_ends(future: list[float]) -> list[float]:
    cut, end = future
    if cut >= end:
        raise pydantic_core.PydanticCustomError(
            "empty_future",
            "the cut must lie before the end; give [cut, end] with 0 < cut < end <= 1",
        )
    return future


_Fraction = Annotated[float, Field(gt=0, le=1)]
_Future = Annotated[
    list[_Fraction],
    Field(min_length=2, max_length=2),
    pydantic.AfterValidator(_falls_before_it_ends),
]


class EngagementData(_Section):
    """What the engagement model sees of a user and of a hashtag."""

    history_length: int = Field(50, ge=1, description="newest messages of a user")
    contexts_length: int = Field(30, ge=1, description="context messages of a hashtag, sampled")
    ranking_contexts_length: int | None = Field(
        None, ge=1, description="the same where hashtags are ranked; null: as in training"
    )
    minimum_contexts: int = Field(5, ge=1, description="hashtags with fewer are not ranked")
    vocabulary_size: int = Field(10_000, ge=1, description="most frequent words for the topics")
    negatives: int = Field(5, ge=1, description="negatives a positive in training")
    exclude_own: bool = Field(True, description="leave a user's own messages out of contexts")

    @property
    def contexts_of_ranked(self) -> int:
        """Context messages of a hashtag where it is ranked."""
        return self.ranking_contexts_length or self.contexts_length


class EngagementNetwork(_Section):
    """Sizes and switches of the published engagement model."""

    topics: int | None = Field(100, ge=2, description="K; null: no topic model")
    topic_hidden: int = Field(512, ge=1, description="hidden width of the topic encoder")
    hidden: int = Field(768, ge=1, description="LSTM units a direction")
    head_hidden: int | None = Field(None, ge=1, description="the head's width; null: as hidden")
    user: Literal["lstm", "lstm_attention", "mean"] = Field(
        "lstm", description="last states, attention over the states, or the mean message"
    )
    attention: Literal["topic_bilinear", "bilinear", "additive", "mean"] = Field(
        "topic_bilinear", description="over a hashtag's messages; mean: none, topics concatenated"
    )
    dropout: float = Field(0.0, ge=0, lt=1)
    start: Literal["similarity", "random"] = Field(
        "similarity", description="weights that rank by closeness of messages, or Glorot's"
    )
    topic_start: Literal["random", "clusters"] = Field(
        "random", description="of the topics: Glorot's, or the words of clusters of hashtags"
    )


class EngagementEpochs(_Section):
    """At most that many epochs in each of the three phases."""

    topics: int = Field(20, ge=0, description="the topic model alone")
    warmup: int = Field(20, ge=0, description="the rest, topic model frozen")
    joint: int = Field(100, ge=0, description="everything, equation 10")


class EngagementTraining(_Section):
    """Optimisation of the published engagement model."""

    epochs: EngagementEpochs = EngagementEpochs()
    examples: Literal["leave_out", "futures"] = Field(
        "leave_out",
        description="every hashtag of a user against others, or a future cut out of train",
    )
    batch_users: int = Field(128, ge=1, description="users a batch")
    learning_rate: float = Field(1e-3, gt=0)
    topic_learning_rate: float | None = Field(
        None, gt=0, description="while the topic model is alone; null: as learning_rate"
    )
    positive_weight: float = Field(100.0, gt=0, description="lambda of equation 8")
    topic_weight: float = Field(1e-4, ge=0, description="mu of equation 10")
    patience: int = Field(0, ge=0, description="epochs without a better valid MAP; 0: never stop")


class EngagementSettings(_Section):
    """`model: engagement`, the published model (EMNLP 2021)."""

    model: Literal["engagement"]
    text_encoder: str = "minilm"
    seed: int = Field(0, ge=0, lt=2**31)
    data: EngagementData = EngagementData()
    network: EngagementNetwork = EngagementNetwork()
    training: EngagementTraining = EngagementTraining()

    @pydantic.model_validator(mode="after")
    def _topics_have_something_to_train(self):
        epochs = self.training.epochs.topics
        if self.network.topics is None and epochs:
            raise pydantic_core.PydanticCustomError(
                "no_topics",
                "`network.topics` is null, so that `training.epochs.topics` must be 0, not "
                "{epochs}",
                {"epochs": epochs},
            )
        return self


class AudienceData(_Section):
    """What the audience model sees of a user and of a hashtag."""

    history_length: int = Field(50, ge=1, description="newest messages of a user")
    minimum_contexts: int = Field(5, ge=1, description="hashtags with fewer are not ranked")
    taste_width: int = Field(96, ge=1, description="components of the user x hashtag SVD")
    hashtag_names: Literal["encoder", "messages"] = Field(
        "encoder", description="names embedded by the text encoder, or the mean of their messages"
    )


class AudienceNetwork(_Section):
    """Sizes of the networks that read the match signals."""

    members: int = Field(8, ge=1, description="networks whose mean logit is the score")
    hidden: list[Annotated[int, Field(ge=1)]] = Field([64, 32], min_length=1)
    dropout: float = Field(0.1, ge=0, lt=1)


class AudienceTraining(_Section):
    """Training on imitated futures."""

    futures: list[_Future] = Field(
        [[0.65, 1.0], [0.7, 1.0], [0.75, 1.0], [0.8, 1.0]],
        min_length=1,
        description="cut and end of each, as fractions of a user's train posts",
    )
    jitter: float = Field(0.05, ge=0, lt=1, description="how far each user's cut moves, at most")
    epochs: int = Field(3, ge=1, description="of each phase")
    patience: int = Field(0, ge=0, description="epochs without a better valid MAP; 0: never stop")
    refit: bool = Field(True, description="train anew with the valid split as one more future")
    batch_users: int = Field(32, ge=1, description="users' lists a batch")
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-3, ge=0)

    @pydantic.model_validator(mode="after")
    def _patience_is_for_refit(self):
        if self.patience and not self.refit:
            raise pydantic_core.PydanticCustomError(
                "patience_without_refit",
                "`training.patience` chooses the epochs of `refit`, so that it must be 0 without, "
                "not {patience}",
                {"patience": self.patience},
            )
        return self


class AudienceSettings(_Section):
    """`model: audience`, the recommended model: who wrote about a hashtag, and what."""

    model: Literal["audience"]
    text_encoder: str = "minilm"
    seed: int = Field(0, ge=0, lt=2**31)
    data: AudienceData = AudienceData()
    network: AudienceNetwork = AudienceNetwork()
    training: AudienceTraining = AudienceTraining()


class ScorerData(_Section):
    """What a system without training takes for a candidate."""

    minimum_contexts: int = Field(5, ge=1, description="hashtags with fewer are not ranked")


class ScorerSettings(_Section):
    """`model: scorer`, a system with nothing to train: chance, popularity, similarity of texts."""

    model: Literal["scorer"]
    score_by: Literal["random", "train_posts", "contexts", "similarity"]
    text_encoder: str = "minilm"
    seed: int = Field(0, ge=0, lt=2**31)
    data: ScorerData = ScorerData()


class LambdaMartData(_Section):
    """Which words LambdaMART's features are made of."""

    features: Literal["lda", "tfidf"] = Field(description="what makes a vector of words")
    history_length: int = Field(50, ge=1, description="newest messages of a user")
    minimum_contexts: int = Field(5, ge=1, description="hashtags with fewer are not ranked")
    vocabulary_size: int = Field(10_000, ge=1, description="most frequent words")
    topics: int = Field(100, ge=2, description="K, of lda")
    topic_passes: int = Field(10, ge=1, description="over the documents, of lda")


class LambdaMartTraining(_Section):
    """Training of the trees on imitated futures."""

    futures: list[_Future] = Field(
        [[0.6, 0.85], [0.7, 1.0], [0.8, 1.0]],
        min_length=1,
        description="cut and end of each, as fractions of a user's train posts",
    )
    jitter: float = Field(0.05, ge=0, lt=1, description="how far each user's cut moves, at most")
    trees: int = Field(300, ge=1, description="at most")
    leaves: int = Field(15, ge=2, description="of a tree")
    leaf_pairs: int = Field(50, ge=1, description="pairs of user and hashtag a leaf, at least")
    learning_rate: float = Field(0.05, gt=0)
    patience: int = Field(30, ge=1, description="trees without a better valid MAP")


class LambdaMartSettings(_Section):
    """`model: lambdamart`, boosted trees over features of words (LDA or TF-IDF)."""

    model: Literal["lambdamart"]
    text_encoder: str = "minilm"
    seed: int = Field(0, ge=0, lt=2**31)
    data: LambdaMartData
    training: LambdaMartTraining = LambdaMartTraining()


class CollaborativeTraining(_Section):
    """Factorisation of the users' hashtags, by alternating least squares."""

    factors: int = Field(32, ge=1, description="width of the vectors of users and hashtags")
    regularization: float = Field(1.0, gt=0)
    confidence: float = Field(20.0, gt=0, description="alpha: what a tagging weighs against none")
    iterations: int = Field(15, ge=1)


class CollaborativeSettings(_Section):
    """`model: collaborative`, collaborative filtering on the train taggings alone."""

    model: Literal["collaborative"]
    text_encoder: str = "minilm"
    seed: int = Field(0, ge=0, lt=2**31)
    data: ScorerData = ScorerData()
    training: CollaborativeTraining = CollaborativeTraining()


class PostData(_Section):
    """What a post model sees of a post and of the posts around it."""

    minimum_posts: int = Field(5, ge=1, description="train posts that make a hashtag a label")
    own_posts: int = Field(5, ge=1, description="k, similar posts by the same user")
    other_posts: int = Field(10, ge=1, description="mu, similar posts by others")
    own_hashtags: int = Field(10, ge=1, description="gamma, most used in the user's similar posts")
    other_hashtags: int = Field(10, ge=1, description="nu, most used in similar posts by others")
    visual_share: float = Field(0.5, ge=0, le=1, description="omega of equation 13")
    similar_vectors: Literal["texts", "texts_and_hashtags"] = Field(
        "texts", description="F of equation 14: similar posts' texts, or their hashtags added"
    )
    words: int = Field(40, ge=1, description="words of a text that are read")
    vocabulary_size: int = Field(20_000, ge=1, description="most frequent words")
    oov_buckets: int = Field(1000, ge=1, description="for words outside the vocabulary")
    history_posts: int = Field(2, ge=1, description="latest posts that MaCon reads")


class PhrNetwork(_Section):
    """Sizes and switches of PHR; the variants of the thesis are settings of it."""

    proposals: int = Field(9, ge=1, description="m")
    features: int = Field(300, ge=2, description="f")
    projection: int = Field(512, ge=1, description="a, width of image proposals")
    slots: int = Field(16, ge=1, description="s, of a memory")
    heads: int = Field(4, ge=1, description="nr, read heads")
    strength: float = Field(1.0, gt=0, description="c, of the write weights")
    embedding_width: int = Field(300, ge=1, description="of word vectors")
    text: Literal["words", "encoder", "both"] = Field(
        "words", description="BiLSTM over words, vector of the encoder, or their sum"
    )
    sides: list[Literal["visual", "textual", "own", "others"]] = Field(
        ["visual", "textual", "own", "others"], min_length=1, description="that take part"
    )
    memory: bool = Field(True, description="memory network; false: PHR-MN")
    post_tag_attention: bool = Field(True, description="false: PHR-PTA")
    pairing: Literal["sextuplet", "triplet", "none"] = Field(
        "sextuplet", description="co-attentions; none: PHR-SCA"
    )
    own_side: Literal["posts", "hashtags"] = Field(
        "posts", description="similar posts, or the user's most used hashtags (TAGNet)"
    )
    graph: Literal["relational", "aggregated", "none"] = "relational"
    relations: list[Literal["visual", "textual"]] = Field(
        ["visual", "textual"], description="that link posts"
    )
    visual_threshold: float = Field(0.6, ge=-1, le=1, description="theta")
    textual_threshold: float = Field(0.95, ge=-1, le=1, description="lambda")
    activation: Literal["sigmoid", "relu"] = Field("sigmoid", description="of the graph")
    hidden: int = Field(512, ge=1, description="of the MLP")
    dropout: float = Field(0.0, ge=0, lt=1)
    residual: bool = Field(False, description="add the counts around a post to its logits")


class PostTraining(_Section):
    """Optimisation of a post model."""

    epochs: int = Field(30, ge=1)
    batch_posts: int = Field(500, ge=1)
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(0.05, gt=0)
    weight_decay: float = Field(0.0, ge=0, description="decoupled, of Adam")
    patience: int = Field(5, ge=0, description="epochs without a better valid F1@9; 0: never stop")


class PhrSettings(_Section):
    """`model: phr`, the recommender of posts (thesis, 2024), its variants, and TAGNet."""

    model: Literal["phr"]
    text_encoder: str = "minilm"
    image_encoder: str = Field("none", description="none, given, or an encoder of images")
    seed: int = Field(0, ge=0, lt=2**31)
    data: PostData = PostData()
    network: PhrNetwork = PhrNetwork()
    training: PostTraining = PostTraining()


class MaconNetwork(_Section):
    """Sizes of MaCon."""

    proposals: int = Field(9, ge=1, description="cells of an image")
    features: int = Field(300, ge=1, description="LSTM units and width of a post")
    attention: int = Field(100, ge=1, description="inner width of the co-attention")
    hashtag_attention: int = Field(200, ge=1, description="inner width of hashtag attention")
    embedding_width: int = Field(300, ge=1, description="of word vectors")
    dropout: float = Field(0.75, ge=0, lt=1, description="before the output")


class MaconSettings(_Section):
    """`model: macon`, MaCon (AAAI 2019)."""

    model: Literal["macon"]
    text_encoder: str = "minilm"
    image_encoder: str = Field("none", description="none, given, or an encoder of images")
    seed: int = Field(0, ge=0, lt=2**31)
    data: PostData = PostData()
    network: MaconNetwork = MaconNetwork()
    training: PostTraining = PostTraining()


PostSettings = PhrSettings | MaconSettings
Settings = (
    EngagementSettings
    | AudienceSettings
    | ScorerSettings
    | LambdaMartSettings
    | CollaborativeSettings
    | PhrSettings
    | MaconSettings
)
_SCHEMA: pydantic.TypeAdapter = pydantic.TypeAdapter(
    Annotated[Settings, Field(discriminator="model")]
)


def load_settings(config: str | os.PathLike, overrides: Iterable[str] = ()) -> Settings:
    """Reads a configuration and checks every key, type and range.

    Args:
        config: the name of a file in `configs/` (`"engagement"` or `"engagement.yaml"`) or a path.
        overrides: `"dotted.key=value"` strings; values are read as YAML.

    Raises:
        ConfigError: the file cannot be read, or a key is unknown, of the wrong type or out of
            range. The message names the key and, for an unknown one, the nearest right one.

    Example:

    >>> settings = load_settings("engagement_paper", ["text_encoder=minilm", "seed=7"])
    >>> settings.network.topics, settings.seed
    (100, 7)
    >>> load_settings("engagement_paper", ["netwrok.topics=5"])
    Traceback (most recent call last):
    ...
    tfhashtag.errors.ConfigError: --set netwrok.topics: unknown key. Did you mean `network.topics`?
    """
    path = _locate(config)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {_one_line(error)}.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(values).__name__}.")
    model = values.get("model")
    overridden = [_apply(values, override) for override in overrides]
    if model is not None and values["model"] != model and values["model"] in _model_names():
        names = [name for name in _shipped() if _model_of(name) == values["model"]]
        raise ConfigError(
            f"--set model={values['model']}: {path} is for `{model}`, whose settings are others. "
            f"Name a configuration of `{values['model']}` instead: {', '.join(names)}."
        )
    return parse_settings(values, str(path), overridden)


def parse_settings(values: dict, where: str, overridden: Iterable[str] = ()) -> Settings:
    """Validates plain values, as read from a file; `where` stands at the head of an error.

    `overridden` are the dotted keys that came from `--set`, so that an error names their source.
    """
    _check_keys(values, _schema_of(values, where), where, set(overridden))
    try:
        return _SCHEMA.validate_python(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part not in _model_names())
        source = f"--set {key}" if _is_from(key, overridden) else f"{where}: `{key}`"
        if not key:  # two keys that do not go together
            raise ConfigError(f"{where}: {first['msg']}.") from None
        found = f", found {first['input']!r}" if first["type"] != "missing" else ""
        expected = f"{first['msg'][0].lower()}{first['msg'][1:]}"
        if first["type"] == "model_type":  # its message speaks of our classes
            expected = f"expected a section with keys such as `{key}.{_first_key(values, key)}`"
        raise ConfigError(f"{source}: {expected}{found}.") from None


def dump_settings(settings: Settings) -> str:
    """The resolved configuration as YAML; `load_settings` reads it back to an equal value.

    >>> print(dump_settings(load_settings("engagement_paper")).splitlines()[0])
    model: engagement
    """
    return yaml.safe_dump(settings.model_dump(), sort_keys=False)


class _Loader(yaml.SafeLoader):
    """YAML 1.2: `1e-4` is a number, not a string, and a key that stands twice is an error."""

    def construct_mapping(self, node, deep=False):
        """The keys and values of a section, each key once."""
        seen = set()
        for name, _ in node.value:
            if name.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key `{name.value}` stands twice", name.start_mark
                )
            seen.add(name.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)


def _model_of(name: str) -> Any:
    """The model of a shipped configuration."""
    return yaml.load(_locate(name).read_text(encoding="utf-8"), Loader=_Loader)["model"]


def _shipped() -> list[str]:
    """Names of the shipped configurations."""
    folder = importlib.resources.files("tfhashtag.configs")
    return sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".yaml"))


def _locate(config: str | os.PathLike) -> pathlib.Path:
    path = pathlib.Path(config)
    if path.is_file():
        return path
    shipped = importlib.resources.files("tfhashtag.configs")
    name = str(config) if str(config).endswith(".yaml") else f"{config}.yaml"
    candidate = pathlib.Path(str(shipped.joinpath(name)))
    if os.sep not in str(config) and candidate.is_file():
        return candidate
    names = _shipped()
    near = difflib.get_close_matches(name[:-5], names, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    raise ConfigError(
        f"{config}: no such file and no such configuration.{hint} Shipped: {', '.join(names)}."
    )


def _apply(values: dict, override: str) -> str:
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"--set {override}: expected `key=value`, e.g. `seed=1`.")
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: not readable as YAML: {_one_line(error)}.") from error
    *sections, last = key.split(".")
    section = values
    for name in sections:
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override}: `{name}` is a value, not a section.")
    section[last] = value
    return key


def _models() -> tuple[type[_Section], ...]:
    return typing.get_args(Settings)


def _model_names() -> list[str]:
    return [model.model_fields["model"].annotation.__args__[0] for model in _models()]  # type: ignore[union-attr]


def _schema_of(values: dict, where: str) -> type[_Section]:
    names = _model_names()
    name = values.get("model")
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise ConfigError(
            f"{where}: `model` is {name!r}, expected one of {', '.join(names)}.{hint}"
        )
    return _models()[names.index(name)]


def _first_key(values: dict, section: str) -> str:
    schema = _schema_of(values, "")
    for name in section.split("."):
        schema = typing.cast(type[_Section], schema.model_fields[name].annotation)
    return next(iter(schema.model_fields))


def _is_from(key: str, overridden: Iterable[str]) -> bool:
    """Whether a key, or a section or list that it stands in, was given by `--set`."""
    return any(key == given or key.startswith(f"{given}.") for given in overridden)


def _check_keys(values: dict, schema: type[_Section], where: str, overridden: set[str]) -> None:
    known = _dotted_keys(schema)
    for key in _leaf_keys(values):
        if key in known:
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        if not near:  # the right name in the wrong section
            last = key.rpartition(".")[2]
            near = [k for k in known if k.rpartition(".")[2] == last][:1]
        hint = f" Did you mean `{near[0]}`?" if near else f" Known: {', '.join(sorted(known))}."
        source = f"--set {key}" if key in overridden else f"{where}: `{key}`"
        raise ConfigError(f"{source}: unknown key.{hint}")


def _dotted_keys(schema: type[_Section]) -> list[str]:
    keys = []
    for name, field in schema.model_fields.items():
        keys.append(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Section):
            keys += [f"{name}.{key}" for key in _dotted_keys(field.annotation)]
    return keys


def _leaf_keys(values: dict, prefix: str = "") -> list[str]:
    keys = []
    for name, value in values.items():
        if isinstance(value, dict) and value:
            keys += _leaf_keys(value, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


def _one_line(error: Any) -> str:
    return " ".join(str(error).split())
