"""The Instagram dataset of MaCon (AAAI 2019), as its authors publish it."""

import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfhashtag.corpus.post import Post, checked_post
from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.corpus.readers.files import text_lines
from tfhashtag.errors import DataError

DATA, TAGS, VOCABULARY = "Instagram.data", "tags", "vocabulary"
VECTORS, PICTURES = "Instagram.npy", "images"
_ENDINGS = ("", ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_COLUMNS = 4


def read_macon(path: pathlib.Path, on_bad: OnBad, counts: Counter[str]) -> Iterator[Post]:
    """Posts of `Instagram.data`: `image_id TAB word ids TAB tag ids TAB user id`.

    Ids in a field are separated by spaces or commas. They point into the files `vocabulary` and
    `tags` beside it: either a word a line, whose id is its line number counted from 0, or two
    columns with a tab between, word and id in either order (where both columns are distinct
    numbers, the second is the id). The text is the words with spaces between, the post's id is the
    image id. There are no timestamps: file order is time order.

    What may stand beside the files: `images/<image_id>` (or with the ending .jpg, .jpeg, .png,
    .webp, .gif, .bmp), the posts' pictures; `Instagram.npy`, float32 `[lines, m, a]`, the image
    vectors of line 1, 2, ... of `Instagram.data`.

    Args:
        path: the folder, or `Instagram.data` in it.
        on_bad: what to do with a bad line.
        counts: gets `posts without words`.

    Raises:
        DataError: a file is missing, unreadable or empty; `vocabulary` or `tags` has a bad line;
            `Instagram.npy` does not fit.
    """
    if path.is_dir():
        path = path / DATA
    folder = path.parent
    for needed in (path, folder / TAGS, folder / VOCABULARY):
        if not needed.is_file():
            raise DataError(
                f"{needed}: no such file; expected a folder with {DATA}, {TAGS} and {VOCABULARY}."
            )
    words, tags = _names(folder / VOCABULARY), _names(folder / TAGS)
    vectors = _vectors(folder / VECTORS)
    pictures = folder / PICTURES if (folder / PICTURES).is_dir() else None
    lines = 0
    for place, line in text_lines(path, on_bad):
        lines = int(place.rpartition(":")[2])
        fields = line.split("\t")
        try:
            if len(fields) != _COLUMNS:
                raise BadPost(
                    "too few fields" if len(fields) < _COLUMNS else "too many fields",
                    f"{len(fields)} fields; expected image id, word ids, tag ids and user id with "
                    "tabs between",
                )
            image, user = fields[0].strip(), fields[3].strip()
            values: dict[str, object] = {
                "id": image,
                "user": user,
                "text": " ".join(_resolved(fields[1], words, "word", VOCABULARY)),
                "hashtags": _resolved(fields[2], tags, "tag", TAGS),
            }
            if vectors is not None:
                if lines > len(vectors):
                    raise DataError(
                        f"{folder / VECTORS}: {len(vectors)} rows; {place} needs row {lines}. "
                        "Expected a row for each line."
                    )
                values["proposals"] = vectors[lines - 1]
            if pictures is not None:
                values["images"] = _picture(pictures, image)
            if not fields[1].strip():
                counts["posts without words"] += 1
            yield checked_post(values, str(lines), place, counts, keep_spelling=True)
        except BadPost as fault:
            on_bad(place, fault)
    if vectors is not None and len(vectors) != lines:
        raise DataError(
            f"{folder / VECTORS}: {len(vectors)} rows; expected one for each of the {lines} lines "
            f"of {path}."
        )


def _names(path: pathlib.Path) -> dict[int, str]:
    """Id to name."""

    def refuse(place: Any, fault: Any) -> None:
        raise DataError(f"{place}: {fault}.")

    rows = [(place, line.split("\t")) for place, line in text_lines(path, refuse)]
    width = len(rows[0][1])
    for place, fields in rows:
        if len(fields) != width or width > 2:
            raise DataError(
                f"{place}: {len(fields)} columns; expected one name a line, or name and id with a "
                "tab between, the same in every line."
            )
        if not all(field.strip() for field in fields):
            raise DataError(f"{place}: an empty name or id; expected none.")
    if width == 1:
        return {number: fields[0].strip() for number, (_, fields) in enumerate(rows)}
    columns = [[fields[0].strip() for _, fields in rows], [fields[1].strip() for _, fields in rows]]
    for ids, names in ((columns[1], columns[0]), (columns[0], columns[1])):
        if all(text.isdecimal() for text in ids) and len(set(map(int, ids))) == len(ids):
            return dict(zip(map(int, ids), names, strict=True))
    raise DataError(
        f"{path}: two columns, and neither holds distinct whole numbers in every line; expected "
        "name and id, or a name a line."
    )


def _resolved(field: str, names: dict[int, str], kind: str, file: str) -> list[str]:
    result = []
    for text in field.replace(",", " ").split():
        if not text.isdecimal() or int(text) not in names:
            ids = f"{min(names)} to {max(names)}"
            raise BadPost(
                f"unknown {kind} id", f"{kind} id {text!r:.40} is not in `{file}` (ids {ids})"
            )
        result.append(names[int(text)])
    return result


def _picture(folder: pathlib.Path, image: str) -> str:
    names = (f"{image}{ending}" for ending in _ENDINGS if image)
    found = next((name for name in names if (folder / name).is_file()), image)
    return f"{folder.name}/{found}"  # a file that is missing is told as other formats' are


def _vectors(path: pathlib.Path) -> np.ndarray | None:
    if not path.exists():
        return None
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a NumPy array: {error}.") from error
    if vectors.ndim != 3 or vectors.dtype != np.float32 or 0 in vectors.shape:
        raise DataError(
            f"{path}: float32 [lines, m, a] was expected, found {vectors.dtype} "
            f"{list(vectors.shape)}."
        )
    return vectors
