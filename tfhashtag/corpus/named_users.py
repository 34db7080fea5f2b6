"""Names of users where they stand beside the field `user`: in texts, hashtags and ids."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from tfhashtag.corpus.hashtag import SIGNS, hashtag_key, in_address
from tfhashtag.corpus.user_hashes import MENTION, UserHashes

# Letters of one script, as `taro_99` in `taro_99さん`: a name ends where these change.
_LATIN = r"A-Za-z0-9_\u00c0-\u024f\u1e00-\u1eff"
_RUN = re.compile(rf"[{_LATIN}]+|[^\W{_LATIN}]+")
_RUN_OR_MENTION = re.compile(rf"{MENTION.pattern}|(?P<run>{_RUN.pattern})")
_TAG = re.compile(r"\w+")
_IS_LATIN = re.compile(f"[{_LATIN}]")
_LETTER = re.compile(r"[^\W\d_]")
_BETWEEN = re.compile(r"[\W_]+")
_ENDS = re.compile(r"^\W+|\W+$")
_SERVER = re.compile(r"@.*|\.bsky\.social$")
# Ids that name nobody: numbers, and UUIDs.
_NAMELESS_ID = re.compile(r"\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class _Name(NamedTuple):
    """A name as it is looked for: folded, how many characters it has in a text, whose it is."""

    folded: str
    size: int
    user: str

    @property
    def is_word(self) -> bool:
        """Whether it may as well be an ordinary word: letters alone."""
        return self.folded.isalpha()


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
        self._of_name: dict[str, str] = {}
        self._of_tag: dict[str, str] = {}
        self._by_first_run: dict[str, list[_Name]] = {}
        for user in sorted(users):
            for name in _names_of(user):
                folded = name.casefold()
                self._of_name.setdefault(folded, user)
                self._of_tag.setdefault(_squeezed(name), user)
                first = _RUN.match(folded)
                if first is not None:
                    names = self._by_first_run.setdefault(first[0].rstrip("_"), [])
                    names.append(_Name(folded, len(name), user))
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

    def in_text(self, text: str) -> str:
        """The text with hashes in place of names."""
        parts, last, held = [], 0, False
        for start, end, hashed in self._found(text):
            if hashed is None:
                held = True
            else:
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
                if standing is not None and (
                    start + standing.size > place or text[start + standing.size :][:1].isalnum()
                ):
                    place = start + standing.size
                    yield start, place, self.of_user(standing.user)
                else:
                    user = self._of_name.get(found["name"].casefold(), found["name"])
                    yield start, place, self.of_user(user)
                continue
            sign = text[start - 1] if start else ""
            is_tag = sign != "" and sign in SIGNS
            standing = self._standing(text, start, is_tag)
            if standing is not None:
                sure = is_tag or not standing.is_word
                sure = sure or (sign in ("/", "=", "~") and in_address(text, start))
                place = start + standing.size
                yield start, place, self.of_user(standing.user) if sure else None
                continue
            run, hashed = found["run"], ""
            if is_tag:
                whole = _TAG.match(text, start)
                assert whole is not None
                run, place = whole[0], whole.end()
                hashed = self.of_hashtag(run)
            elif run.startswith("_"):  # `_bob99_`
                place = start + len(run) - len(run.lstrip("_"))
                continue
            elif not run.isalpha():
                run = run.rstrip("_")
                hashed = self._known_by_hash(run)
            if hashed not in ("", run):
                yield start, start + len(run), hashed

    def _standing(self, text: str, start: int, is_tag: bool = False) -> _Name | None:
        """The longest known name that begins at a place and ends where a word does."""
        run = _RUN.match(text, start)
        for name in self._by_first_run.get(run[0].casefold().rstrip("_"), ()) if run else ():
            end = start + name.size
            if text[start:end].casefold() == name.folded and _ends(text, end, is_tag):
                return name
        return None

    def _known_by_hash(self, name: str) -> str:
        if not self._hashed:
            return ""
        forms = (name, name.lower())
        return next((h for h in map(self.of_user, forms) if h in self._hashed), "")


def _ends(text: str, end: int, is_tag: bool) -> bool:
    """Whether a name may end before a place: not within a word, or a hashtag, of one script."""
    after = text[end : end + 1]
    if is_tag:
        return not (after.isalnum() or after == "_")
    behind = text[end:].lstrip("_")[:1] if after == "_" else after
    if not behind.isalnum():
        return True
    return after != "_" and bool(_IS_LATIN.match(after)) != bool(_IS_LATIN.match(text[end - 1]))


def _names_of(user: str) -> list[str]:
    """What a user is called: without signs at its ends, and without the server behind `@`."""
    name = _ENDS.sub("", user)
    names = dict.fromkeys([name, _ENDS.sub("", _SERVER.sub("", name))])
    return [name for name in names if _LETTER.search(name)]


def _squeezed(name: str) -> str:
    """A name as a hashtag of it may be written: its key, letters and digits alone."""
    return _BETWEEN.sub("", hashtag_key(name))
