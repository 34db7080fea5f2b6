"""Validated configuration: a YAML file, a strict schema, dotted overrides, clear errors."""

import dataclasses
import difflib
import importlib.resources
import itertools
import os
import pathlib
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, TypedDict, TypeVar

import pydantic
import pydantic_core
import yaml
from pydantic import Field

from tfhashtag.errors import ConfigError

S = TypeVar("S", bound="Section")


class Section(pydantic.BaseModel):
    """A group of settings: no unknown key, no conversion, nothing that changes later."""

    model_config = pydantic.ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False
    )


def setting(
    default: Any = ..., meaning: str | None = None, *, source: str | None = None, **limits: Any
) -> Any:
    """One key of a section, with all that a person needs to know of it.

    Args:
        default: its value where a configuration is silent; none for `...`.
        meaning: in a few words.
        source: of meaning or default: paper and equation or table; or "not given", "inferred".
        limits: what `pydantic.Field` takes: `ge`, `gt`, `le`, `lt`, `min_length`.

    Example:

    >>> class Network(Section):
    ...     dropout: float = setting(0.1, "of the hidden layers", source="Section 4", ge=0, lt=1)
    >>> describe(Network())
    [Description(key='dropout', value=0.1, required=False, default=0.1, \
range='number, ≥ 0, < 1', meaning='of the hidden layers', source='Section 4')]
    """
    extra: Any = {"source": source} if source else None
    return Field(default, description=meaning, json_schema_extra=extra, **limits)


class Encoders(TypedDict):
    """Which vectors a recommender reads, as `EncodedCorpus.read` takes them."""

    text_encoder: str
    image_encoder: str
    proposals: int
    pictures: int


class RecommenderSettings(Section):
    """What the settings of every recommender have.

    A recommender's settings derive from it, in `settings.py` beside the recommender, and narrow
    `model` to the name that the recommender is registered under.
    """

    #: Whether its recommender can be asked about texts; others than ours may say no themselves.
    answers: ClassVar[bool] = True

    model: str = setting(meaning="which recommender")
    text_encoder: str = setting("minilm", "any encoder that `tfhashtag encode` knows")
    seed: int = setting(0, "of weights, sampling and batches", ge=0, lt=2**31)
    data: Section = Section()

    @property
    def encoders(self) -> Encoders:
        """The vectors that it reads."""
        return {
            "text_encoder": self.text_encoder,
            "image_encoder": "none",
            "proposals": 9,
            "pictures": 8,
        }

    def check_answers(self) -> None:
        """Refuses to ask or export what ranks the lists of evaluations alone, without TensorFlow.

        Raises:
            ConfigError: the recommender does.
        """
        if not self.answers:
            raise never_answers(self)


def never_answers(settings: RecommenderSettings) -> ConfigError:
    """The fault of asking or exporting what ranks the lists of evaluations alone."""
    return ConfigError(
        f"`model` is {settings.model}, which ranks the lists of evaluations alone: it can "
        "be evaluated and compared, but neither exported nor asked. Take `engagement`, "
        "`engagement_paper`, `posts` or `phr`."
    )


def _falls_before_it_ends(future: list[float]) -> list[float]:
    cut, end = future
    if cut >= end:
        raise pydantic_core.PydanticCustomError(
            "empty_future",
            "the cut must lie before the end; give [cut, end] with 0 < cut < end <= 1",
        )
    return future


_Fraction = Annotated[float, Field(gt=0, le=1)]
Future = Annotated[
    list[_Fraction],
    Field(min_length=2, max_length=2),
    pydantic.AfterValidator(_falls_before_it_ends),
]
"""Cut and end of an imitated future, as fractions of a user's train posts."""


@dataclasses.dataclass(frozen=True)
class Description:
    """One setting as `tfhashtag configs describe` shows it.

    Attributes:
        key: dotted.
        value: in the configuration that is described.
        required: whether it must stand in a configuration.
        default: its value where a configuration is silent.
        range: what it may be.
        meaning: in a few words.
        source: paper and equation, where there is one.
    """

    key: str
    value: Any
    required: bool
    default: Any
    range: str
    meaning: str
    source: str


def describe(settings: Section, prefix: str = "") -> list[Description]:
    """Every setting of a configuration, in the order of the file."""
    found = []
    schema = type(settings)
    properties = schema.model_json_schema()["properties"]
    for name, field in schema.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, Section):
            found += describe(value, f"{prefix}{name}.")
            continue
        about = properties[name]
        found.append(
            Description(
                f"{prefix}{name}",
                value,
                field.is_required(),
                None if field.is_required() else field.get_default(call_default_factory=True),
                _range(about),
                about.get("description", ""),
                about.get("source", ""),
            )
        )
    return found


_LIMITS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}
_KINDS = {
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "null": "null",
}


def _range(about: Mapping[str, Any]) -> str:
    """What a value may be, from its JSON schema."""
    if "anyOf" in about:
        return " or ".join(_range(choice) for choice in about["anyOf"])
    if "const" in about:
        return str(about["const"])
    if "enum" in about:
        return ", ".join(map(str, about["enum"]))
    if about["type"] == "array":
        return f"list of: {_range(about['items'])}"
    limits = [f"{sign} {about[name]}" for name, sign in _LIMITS.items() if name in about]
    return ", ".join([_KINDS[about["type"]], *limits])


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted keys.

    >>> flat({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def dump_settings(settings: RecommenderSettings) -> str:
    """The resolved configuration as YAML; `load_settings` reads it back to an equal value."""
    return yaml.safe_dump(settings.model_dump(), sort_keys=False)


def as_yaml(value: Any) -> str:
    """One value as `--set` takes it.

    >>> as_yaml(None), as_yaml([1, 2]), as_yaml(True), as_yaml("words")
    ('null', '[1, 2]', 'true', 'words')
    """
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()
    return text.removesuffix("...").strip()


def read_values(config: str | os.PathLike) -> tuple[pathlib.Path, dict[str, Any]]:
    """The path of a configuration and its plain values, as they stand in the file.

    Args:
        config: the name of a file in `configs/` (`"engagement"` or `"engagement.yaml"`) or a path.

    Raises:
        ConfigError: no such configuration, or not readable as YAML.
    """
    path = _locate(config)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {_one_line(error)}.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(values).__name__}.")
    return path, values


def shipped() -> list[str]:
    """Names of the shipped configurations."""
    folder = importlib.resources.files("tfhashtag.configs")
    return sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".yaml"))


def headline(config: str | os.PathLike) -> str:
    """The comment at the head of a configuration."""
    lines = _locate(config).read_text(encoding="utf-8").splitlines()
    head = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return " ".join(line[1:].strip() for line in head)


def validate(
    values: dict[str, Any], schema: type[S], where: str, overridden: Iterable[str] = ()
) -> S:
    """Plain values against a schema; `where` stands at the head of an error.

    Args:
        values: as read from a file.
        schema: a class of sections.
        where: they come from.
        overridden: the dotted keys that came from `--set`, so that an error names their source.

    Raises:
        ConfigError: a key is unknown, missing, of the wrong type or out of range.
    """
    _check_keys(values, schema, where, set(overridden))
    try:
        return schema.model_validate(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        source = f"--set {key}" if _is_from(key, overridden) else f"{where}: `{key}`"
        if not key:  # two keys that do not go together
            raise ConfigError(f"{where}: {first['msg']}.") from None
        found = f", found {first['input']!r}" if first["type"] != "missing" else ""
        expected = f"{first['msg'][0].lower()}{first['msg'][1:]}"
        if first["type"] == "model_type":  # its message speaks of our classes
            expected = f"expected a section with keys such as `{key}.{_first_key(schema, key)}`"
        raise ConfigError(f"{source}: {expected}{found}.") from None


def override(values: dict[str, Any], overrides: Iterable[str]) -> list[str]:
    """Writes `"dotted.key=value"` strings into plain values; gives their keys.

    Raises:
        ConfigError: a string of another form.
    """
    return [_apply(values, text) for text in overrides]


def nearest(name: object, names: Iterable[str]) -> str:
    """` Did you mean ...?`, or nothing where no name is near."""
    near = difflib.get_close_matches(str(name), list(names), n=1)
    return f" Did you mean `{near[0]}`?" if near else ""


class _Loader(yaml.SafeLoader):
    """YAML 1.2: `1e-4` is a number, not a string, and a key that stands twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
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


def _locate(config: str | os.PathLike) -> pathlib.Path:
    path = pathlib.Path(config)
    if path.is_file():
        return path
    folder = importlib.resources.files("tfhashtag.configs")
    name = str(config) if str(config).endswith(".yaml") else f"{config}.yaml"
    candidate = pathlib.Path(str(folder.joinpath(name)))
    if os.sep not in str(config) and candidate.is_file():
        return candidate
    names = shipped()
    raise ConfigError(
        f"{config}: no such file and no such configuration.{nearest(name[:-5], names)} "
        f"Shipped: {', '.join(names)}."
    )


def _apply(values: dict[str, Any], override: str) -> str:
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


def _first_key(schema: type[Section], section: str) -> str:
    for name in section.split("."):
        schema = typing.cast(type[Section], schema.model_fields[name].annotation)
    return next(iter(schema.model_fields))


def _is_from(key: str, overridden: Iterable[str]) -> bool:
    """Whether a key, or a section or list that it stands in, was given by `--set`."""
    return any(key == given or key.startswith(f"{given}.") for given in overridden)


def _check_keys(
    values: dict[str, Any], schema: type[Section], where: str, overridden: set[str]
) -> None:
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


def _dotted_keys(schema: type[Section]) -> list[str]:
    keys = []
    for name, field in schema.model_fields.items():
        keys.append(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
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
