"""Names of users where they stand beside the field `user`: in texts, hashtags and ids."""

import functools
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import regex

from tfhashtag.corpus.folded_text import folded
from tfhashtag.corpus.hashtag import SIGNS, hashtag_key, in_address
from tfhashtag.corpus.user_hashes import UserHashes

_WORD = r"\p{L}\p{M}\p{N}_"
# Letters of one script, as `taro_99` in `taro_99さん`: a name ends where these change.
_LATIN = r"A-Za-z0-9_\u00c0-\u024f\u1e00-\u1eff"
_RUN_OF = rf"(?:[{_LATIN}][{_LATIN}\p{{M}}]*|[[\p{{L}}\p{{M}}\p{{N}}]--[{_LATIN}]]+)"
_RUN = regex.compile(_RUN_OF, regex.V1)
_PART = rf"(?:[{_WORD}][{_WORD}.\-]*[{_WORD}]|[{_WORD}])"
#: `@name`, of other servers `@name@server`; or a run of letters.
_RUN_OR_MENTION = regex.compile(
    rf"(?:(?<![{_WORD}])|(?<=\bRT))@(?P<name>{_PART}(?:@{_PART})?)|(?P<run>{_RUN_OF})", regex.V1
)
# What a name that is known by its hash alone may be: up to four runs.
_RUNS = regex.compile(rf"(?P<run>{_RUN_OF})(?:[ .'\-@](?P<run>{_RUN_OF})){{0,3}}", regex.V1)
_TAG = regex.compile(rf"[{_WORD}]+")
_IS_LATIN = regex.compile(f"[{_LATIN}]")
_LETTER = regex.compile(r"\p{L}")
_LETTERS = regex.compile(r"[\p{L}\p{M}]+")
_MARK = regex.compile(r"\p{M}")
_LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{M}\p{N}]")
_BETWEEN = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_ENDS = regex.compile(rf"^[^{_WORD}]+|[^{_WORD}]+$")
_LONGER = rf"[{_WORD}]|[.\-][{_WORD}]"  # of a name that goes on: `@ann.smith` is not `ann`
_SERVER = regex.compile(r"@.*|\.bsky\.social$")
# Ids that name nobody: numbers, and UUIDs.
_NAMELESS_ID = regex.compile(r"\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", regex.IGNORECASE)


class _Name(NamedTuple):
    """A name as it is looked for: folded, how many characters it has in a text, whose it is."""

    folded: str
    size: int
    user: str


class _Standing(NamedTuple):
    """A known name in a text: where it ends, the hash of its user, how it is written."""

    end: int
    hashed: str
    name: str

    @property
    def is_word(self) -> bool:
        """Whether it may as well be an ordinary word: letters alone."""
        return _LETTERS.fullmatch(self.name) is not None


class NamedUsers:
    """Puts keyed hashes in place of the names of users wherever these stand for sure.

    - A name behind `@`, whoever it is.
    - The name of a known user behind `#`, also written without what stands between its letters
      (`#annsmith` of `ann_smith`), and in an address.
    - The name of a known user that is no ordinary word, as it has a digit, `_`, `.`, a space or the
      like, wherever it stands: between `_`, and beside letters of another script, too. One of
      letters alone, such as `tea`, stays where it is a word of a text; `held` counts such texts.
    - Hashtags that are the name of a known user.
    - Ids of posts but for numbers and UUIDs.

    Names in letters of full width, with accents apart or invisible signs within are the same names,
    and so are those in other case; of users who differ in case alone the one that is written so.
    One that is known by its hash alone is found as it is written, and in small letters, large ones
    and a first large one: of `AnnSmith` `@annsmith` is not.
    Of `ann@m.org`, as Mastodon calls those of other servers, `ann` is a name, too.

    Args:
        hashes: of names.
        users: names of the known users.
        hashed: hashes of users that are known by these alone, of a corpus that posts come into.

    Attributes:
        held: texts so far that hold the name of a known user as a word.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "key"
    >>> _ = path.write_bytes(bytes(range(32)))
    >>> named = NamedUsers(UserHashes(path), ["ann", "li_wei"])
    >>> named.in_text("thanks @ann and li_wei, mail a@b.org")
    'thanks @0d1f12b8196c52b0db44a542 and 1de8081f8dac76ebcdb51245, mail a@b.org'
    >>> named.of_hashtag("LiWei") == named.of_user("li_wei"), named.of_hashtag("tea")
    (True, 'tea')
    """

    def __init__(
        self, hashes: UserHashes, users: Iterable[str], hashed: Collection[str] = ()
    ) -> None:
        self.of_user = hashes.of_user
        self.held = 0
        self._hashed = hashed if isinstance(hashed, set | frozenset) else frozenset(hashed)
        self._known_by_hash = functools.lru_cache(maxsize=2**16)(self._looked_up)
        self._as_written: dict[str, str] = {}
        self._of_name: dict[str, str] = {}
        self._of_tag: dict[str, str] = {}
        self._by_first_run: dict[str, list[_Name]] = {}
        for user in sorted(users):
            for name in _names_of(user):
                plain = name.casefold()
                self._as_written.setdefault(name, user)
                self._of_name.setdefault(plain, user)
                self._of_tag.setdefault(_squeezed(name), user)
                first = _RUN.match(plain)
                if first is not None:
                    names = self._by_first_run.setdefault(first[0].rstrip("_"), [])
                    names.append(_Name(plain, len(name), user))
        for names in self._by_first_run.values():
            names.sort(key=lambda name: -name.size)

    def of_hashtag(self, name: str) -> str:
        """The name of a hashtag, or the hash of the user whose name it is."""
        user = self._of_tag.get(_squeezed(name))
        if user is not None:
            return self.of_user(user)
        return self._known_by_hash(name) or name

    def of_id(self, identity: str, user: str) -> str:
        """The id of a post of a user where it is a number or a UUID that names nobody; its hash."""
        name = _SERVER.sub("", user.lower().lstrip("@")) or user.lower()
        if _NAMELESS_ID.fullmatch(identity) and name not in identity.lower():
            return identity
        return self.of_user(identity)

    def known_forms(self, names: Iterable[str]) -> set[str]:
        """The users known by their hash alone that names may be of: as they are written there."""
        forms = (form for name in names for form in _forms(name.lstrip("@")))
        return {form for form in forms if self.of_user(form) in self._hashed}

    def in_text(self, text: str) -> str:
        """The text with hashes in place of names."""
        parts, last, held, form = [], 0, False, folded(text)
        for start, end, hashed in self._found(form.text):
            if hashed is None:
                held = True
            else:
                start, end = form.span(start, end)  # noqa: PLW2901
                parts += [text[last:start], hashed]
                last = end
        self.held += held
        return "".join([*parts, text[last:]])

    def _found(self, text: str) -> Iterator[tuple[int, int, str | None]]:
        """Start and end of each name, and its hash; None for a word that may be none."""
        place = 0
        while found := _RUN_OR_MENTION.search(text, place):
            start, place = found.span()
            if found["run"] is None:
                start, place = found.span("name")
                standing = self._standing(text, start)
                if standing is None or (
                    standing.end <= place and not _LETTER_OR_DIGIT.match(text, standing.end)
                ):
                    standing = _Standing(place, self._of_mention(found["name"]), "")
                place = standing.end
                yield start, place, standing.hashed
                continue
            sign = text[start - 1] if start else ""
            is_tag = sign != "" and sign in SIGNS
            standing = self._standing(text, start, is_tag)
            if standing is not None:
                sure = is_tag or not standing.is_word
                sure = sure or (sign in ("/", "=", "~") and in_address(text, start))
                place = standing.end
                yield start, place, standing.hashed if sure else None
            elif is_tag:
                whole = _TAG.match(text, start)
                assert whole is not None
                hashed, place = self.of_hashtag(whole[0]), whole.end()
                if hashed != whole[0]:
                    yield start, place, hashed
            elif found["run"].startswith("_"):  # `_bob99_`
                place = start + len(found["run"]) - len(found["run"].lstrip("_"))

    def _of_mention(self, name: str) -> str:
        """The hash of whoever is called so behind `@`, known or not."""
        user = self._as_written.get(name) or self._of_name.get(name.casefold())
        known = self.of_user(user) if user is not None else self._known_by_hash(name)
        return known or self.of_user(name)

    def _standing(self, text: str, start: int, is_tag: bool = False) -> _Standing | None:
        """The longest known name that begins at a place and ends where a word does."""
        run = _RUN.match(text, start)
        if run is None:
            return None
        for name in self._by_first_run.get(run[0].casefold().rstrip("_"), ()):
            end = start + name.size
            written = text[start:end]
            if written.casefold() == name.folded and _ends(text, end, is_tag):
                user = self._as_written.get(written, name.user)  # of `Ann` and `ann` the right one
                return _Standing(end, self.of_user(user), name.folded)
        if not self._hashed:
            return None
        runs = _RUNS.match(text, start)
        assert runs is not None
        for whole in reversed(runs.ends("run")):
            end = start + len(text[start:whole].rstrip("_"))
            hashed = self._known_by_hash(text[start:end]) if _ends(text, end, is_tag) else ""
            if hashed:
                return _Standing(end, hashed, text[start:end])
        return None

    def _looked_up(self, name: str) -> str:
        """The hash of a name if it is that of a user known by it alone, else `""`."""
        if not self._hashed or not _LETTER.search(name):
            return ""
        return next((h for h in map(self.of_user, _forms(name)) if h in self._hashed), "")


def _forms(name: str) -> list[str]:
    """A name as who is known by a hash alone may be called."""
    cases = (name, name.lower(), name.capitalize(), name.upper())
    return list(dict.fromkeys([*cases, unicodedata.normalize("NFD", name)]))


def is_mentioned(text: str, user: str) -> bool:
    """Whether a text names a user as `@user`, in any case and form of the letters.

    >>> texts = "＠ＺＯＥ\u0308.", "@zoë@m.org", "@zoë.bsky.social", "@zoëlla", "@zoë.q", "@zoë-q"
    >>> [is_mentioned(text, "zoë") for text in texts]
    [True, True, True, False, False, False]
    """
    if "@" not in text and "\uff20" not in text:
        return False
    return _mention_of(user).search(folded(text).text.casefold()) is not None


@functools.lru_cache(maxsize=8)
def _mention_of(user: str) -> regex.Pattern[str]:
    name = regex.escape(folded(user).text.casefold().lstrip("@"))
    return regex.compile(rf"@{name}(?:(?=\.bsky\.social(?!{_LONGER}))|(?!{_LONGER}))")


def _ends(text: str, end: int, is_tag: bool) -> bool:
    """Whether a name may end before a place: not within a word, or a hashtag, of one script."""
    after = text[end : end + 1]
    if is_tag:
        return not (after == "_" or _LETTER_OR_DIGIT.match(after))
    behind = text[end:].lstrip("_")[:1] if after == "_" else after
    if not _LETTER_OR_DIGIT.match(behind):
        return True
    last = end - 1
    while last and _MARK.match(text[last]):
        last -= 1
    if after == "_" or _MARK.match(after):
        return False
    return bool(_IS_LATIN.match(after)) != bool(_IS_LATIN.match(text[last]))


def _names_of(user: str) -> list[str]:
    """What a user is called: without signs at its ends, and without the server behind `@`."""
    name = _ENDS.sub("", folded(user).text)
    names = dict.fromkeys([name, _ENDS.sub("", _SERVER.sub("", name))])
    return [name for name in names if _LETTER.search(name)]


def _squeezed(name: str) -> str:
    """A name as a hashtag of it may be written: its key, letters and digits alone."""
    return _BETWEEN.sub("", hashtag_key(name))
