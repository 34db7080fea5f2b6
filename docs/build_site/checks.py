"""What holds for every page of the finished site."""

import pathlib
import re
import sys
import tempfile

_TAG = re.compile(r"<(script|link|img|iframe|source|video|audio|object|embed)\b[^>]*>", re.I)
_ADDRESS = re.compile(r"\b(?:src|href|data)\s*=\s*[\"']?\s*((?:https?:)?//[^\"'\s>]+)", re.I)
_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?\s*((?:https?:)?//[^\"')\s]+)", re.I)


def check_site(site: pathlib.Path, root: pathlib.Path) -> None:
    """Raises where a page loads something from elsewhere or names a path of this machine."""
    faults = []
    machine = {str(root), str(pathlib.Path.home()), sys.prefix, tempfile.gettempdir() + "/"}
    machine.discard("/")
    for path in sorted(site.rglob("*")):
        if path.suffix not in (".html", ".css", ".js", ".json", ".ipynb", ".svg"):
            continue
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(site)
        if path.suffix == ".html":
            tags = " ".join(found[0] for found in _TAG.finditer(text))
            faults += [f"{name} loads {address}" for address in _ADDRESS.findall(tags)]
        if path.suffix in (".html", ".css"):
            faults += [f"{name} loads {address}" for address in _STYLE.findall(text)]
        faults += [f"{name} shows the path {place}" for place in sorted(machine) if place in text]
    if faults:
        raise SystemExit("The site is not as it should be:\n" + "\n".join(faults[:20]))


def check_names(page: str, text: str, root: pathlib.Path) -> None:
    """Raises where a page names a module, a class or a file of ours that is not there."""
    for name in re.findall(r"`(tfhashtag(?:\.\w+)+)`", text):
        if not _is_there(name.split("."), root):
            raise SystemExit(f"{page}: `{name}` is not in the code.")
    for path in re.findall(
        r"`((?:tfhashtag|cli|serving|tests|benchmarks|configs)/[\w./-]+)`", text
    ):
        installed = re.sub("^tfhashtag/(?=cli|serving|configs)", "", path)  # as setup.py maps it
        if not (root / installed).exists():
            raise SystemExit(f"{page}: `{path}` is not in the repository.")


def _is_there(parts: list[str], root: pathlib.Path) -> bool:
    """Whether a dotted name leads to a module or to a name that its file has on top."""
    place = root / "tfhashtag"
    for number, part in enumerate(parts[1:], 1):
        inner = root / part if part in ("cli", "serving") and number == 1 else place / part
        if inner.is_dir():
            place = inner
        elif inner.with_suffix(".py").is_file():
            place = inner.with_suffix(".py")
        else:
            source = place if place.is_file() else place / "__init__.py"
            return bool(re.search(rf"\b{part}\b", source.read_text(encoding="utf-8")))
    return True
