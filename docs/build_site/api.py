"""A page a room of the library, for mkdocstrings to fill from the docstrings."""

import ast
import pathlib
import shutil

ROOT = pathlib.Path(__file__).parent.parent.parent
FOLDER = "reference/api"
# What people call; the other rooms are described in the page of the design.
ROOMS = {
    "corpus": "tfhashtag/corpus",
    "encoders": "tfhashtag/encoders",
    "layers": "tfhashtag/layers",
    "losses": "tfhashtag/losses",
    "metrics": "tfhashtag/metrics",
    "retrieval": "tfhashtag/retrieval",
    "evaluation": "tfhashtag/evaluation",
    "tasks": "tfhashtag/tasks",
    "training": "tfhashtag/training",
    "explain": "tfhashtag/explain",
    "export": "tfhashtag/export",
    "recommenders": "tfhashtag/recommenders",
    "runs": "tfhashtag/runs",
    "comparison": "tfhashtag/comparison",
    "testing": "tfhashtag/testing",
    "serving": "serving",
}
SINGLE = ("records", "errors", "settings", "files")


def lay_out_package(folder: pathlib.Path) -> None:
    """Copies the package as it is installed, with `serving` within, for mkdocstrings to read."""
    shutil.rmtree(folder, ignore_errors=True)
    code = shutil.ignore_patterns("__pycache__", "deploy")
    shutil.copytree(ROOT / "tfhashtag", folder / "tfhashtag", ignore=code)
    shutil.copytree(ROOT / "serving", folder / "tfhashtag" / "serving", ignore=code)


def pages() -> dict[str, str]:
    """Name and text of each page."""
    written = {}
    rows = []
    for room, folder in ROOMS.items():
        written[f"{FOLDER}/{room}.md"] = _room(room, ROOT / folder)
        rows.append(f"| [`tfhashtag.{room}`]({room}.md) | {_summary(ROOT / folder)} |")
    for name in SINGLE:
        path = ROOT / "tfhashtag" / f"{name}.py"
        written[f"{FOLDER}/{name}.md"] = "\n".join(
            [f"# tfhashtag.{name}", "", *_module(f"tfhashtag.{name}", path, heading=False)]
        )
        rows.append(f"| [`tfhashtag.{name}`]({name}.md) | {_summary(path)} |")
    door = _module("tfhashtag.door", ROOT / "tfhashtag" / "door.py", heading=False)
    start = [
        "# The Python API",
        "",
        "`import tfhashtag as th` gives the functions of this page: `th.train` and the others. A "
        "[`Run`][tfhashtag.runs.run.Run] answers the rest; tables are "
        "[`Records`][tfhashtag.records.Records].",
        "",
        *door,
        "",
        "## By room",
        "",
        "| package | what is in it |",
        "|---|---|",
        *rows,
    ]
    return {f"{FOLDER}/index.md": "\n".join(start) + "\n", **written}


def _room(room, folder):
    name = f"tfhashtag.{room}"
    lines = [f"# {name}", "", _docstring(folder / "__init__.py"), ""]
    listed = _listed(folder / "__init__.py")
    if listed:
        places = _places(folder) if _is_lazy(folder / "__init__.py") else {}
        public = [f"{name}.{places.get(one, one)}" for one in listed]
        return "\n".join([*lines, *(f"::: {one}\n" for one in public)])
    for path in sorted(folder.rglob("*.py")):
        if path.name == "__init__.py" or path.name.startswith("_"):
            continue
        parts = path.relative_to(folder).with_suffix("").parts
        lines += _module(".".join([name, *parts]), path)
    return "\n".join(lines) + "\n"


def _module(name, path, heading=True):
    """The public classes and functions of a module."""
    public = [
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    ]
    if not public:
        return []
    start = [f"## {name}", ""] if heading else []
    return [*start, _docstring(path), "", *(f"::: {name}.{one}\n" for one in public)]


def _is_lazy(path):
    """Whether a package finds its names when they are asked for, so that none is imported."""
    return "def __getattr__" in path.read_text(encoding="utf-8")


def _places(folder):
    """Name to `module.name` of what stands on top of a folder's modules."""
    return {
        node.name: f"{path.stem}.{node.name}"
        for path in sorted(folder.glob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }


def _listed(path):
    """Names in a package's `__all__`, none without."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return []


def _docstring(path):
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _summary(path):
    init = path if path.suffix == ".py" else path / "__init__.py"
    return _docstring(init).strip().partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
