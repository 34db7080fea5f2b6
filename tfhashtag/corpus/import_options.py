"""What was said about the posts of a corpus when they were imported: an update reads alike."""

from collections.abc import Mapping
from typing import Any

from tfhashtag.corpus.clips import FRAMES
from tfhashtag.errors import ConfigError

#: What a post is in the corpus: one way for all of them.
_ONE_WAY = {"keep_hashtags_in_text": False, "keep_spelling": False, "hashtags_from": "auto"}
#: What other files may want otherwise.
_FOR_ALL = {"text_format": "auto", "drop_duplicates": False, "drop_retweets": False} | {
    "join_words": False
}
#: How files of a format are written.
_OF_FORMAT = (
    "delimiter", "encoding", "sheet", "columns", "hashtag_separator", "time_unit", "time_format",
    "user",
)  # fmt: skip


def said_options(options: Mapping[str, Any], hashed: bool) -> dict[str, Any]:
    """The options of an import that `corpus.json` keeps: those that are not the default.

    Args:
        options: fields of `Wishes` and of `Reading` by name.
        hashed: whether users are hashed: then nobody is named.

    Example:

    >>> said_options({"time_unit": "ms", "keep_spelling": False, "user": "ann"}, hashed=True)
    {'time_unit': 'ms'}
    """
    defaults = {**_ONE_WAY, **_FOR_ALL, **dict.fromkeys(_OF_FORMAT)}
    return {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, default in defaults.items()
        if (value := options.get(name)) not in (None, {}, default)
        and not (hashed and name == "user")
    }


def options_as_imported(
    source: Mapping[str, Any], source_format: str, given: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """The options that posts are read with which come into a corpus that is there.

    Args:
        source: what `corpus.json` keeps of the import, see `tfhashtag.corpus.store.source_of`.
        source_format: of the new posts; `table` for those that are given in Python.
        given: options that are said now; what says how files are written goes before the import's.
        where: for messages.

    Raises:
        ConfigError: one is said that would read the new posts in another way than those there.

    Example:

    >>> source = {"format": "csv", "options": {"keep_spelling": True, "time_unit": "ms"}}
    >>> options_as_imported(source, "csv", {"time_unit": "s"}, "run")
    {'frames': 4, 'keep_spelling': True, 'time_unit': 's'}
    """
    kept = dict(source.get("options", {}))
    if "options" in source:  # imports of before kept none
        told = {**_ONE_WAY, **kept}
        for name in _ONE_WAY:
            if name not in given or given[name] != source.get(name):  # what `auto` has decided
                _check_alike(name, told[name], given, where)
    elif "hashed_users" in source:
        raise ConfigError(
            f"{where}: its users were hashed by an earlier version, which called ids otherwise, so "
            "that posts would come in twice. Import all posts anew with --hash-users, and train."
        )
    frames = source.get("frames", FRAMES)
    if "frames" in source:
        _check_alike("frames", frames, given, where)
    same = source_format == source.get("format")
    if same and "user" in kept and "user" not in given:
        raise ConfigError(
            f"{where}: its posts were imported {option_text({'user': kept['user']})}; say who "
            "wrote these: --user NAME, of those posts that do not say it."
        )
    chosen = {name: v for name, v in kept.items() if same or name not in _OF_FORMAT}
    if same and "hashtags_from" in source:  # of rows; else posts without ids would come in twice
        chosen["escaped"] = source.get("escaped", False)
    return {"frames": frames, **chosen, **given}


def option_text(options: Mapping[str, Any]) -> str:
    """Options as they are typed.

    >>> option_text({"keep_spelling": True, "columns": {"user": "name"}, "text_format": "html"})
    '--keep-spelling --columns user=name --text html'
    """
    return " ".join(option_words(options))


def option_words(options: Mapping[str, Any]) -> list[str]:
    """The same, word by word, for `shlex.join`."""
    words = []
    for name, value in options.items():
        words.append("--" + {"text_format": "text"}.get(name, name).replace("_", "-"))
        if isinstance(value, Mapping):
            words.append(",".join(f"{ours}={theirs}" for ours, theirs in value.items()))
        elif value is not True:
            words.append(str(value))
    return words


def _check_alike(name: str, kept: Any, given: Mapping[str, Any], where: str) -> None:
    if given.get(name, kept) != kept:
        at_import = option_text({name: kept}) if kept else f"without {option_text({name: True})}"
        raise ConfigError(
            f"{where}: its posts were imported {at_import}, and all of a corpus are read alike; "
            f"found {option_text({name: given[name]})}. Leave it out, or import all posts anew."
        )
