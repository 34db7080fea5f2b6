"""Imports run downwards only, and what must start fast imports nothing heavy."""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

from tfhashtag.recommenders.registry import model_names

ROOT = pathlib.Path(__file__).parent.parent

BASE = {
    "blocks",
    "memory",
    "stored_rows",
    "errors",
    "files",
    "plots",
    "records",
    "registration",
    "row_files",
    "sampled_rows",
    "settings",
    "vector_codes",
}
BELOW_TASKS = BASE | {"corpus", "encoders", "layers", "losses", "metrics", "retrieval"}
BELOW_TASKS |= {"evaluation", "export", "reach"}
BELOW_RECOMMENDERS = BELOW_TASKS | {"tasks", "training", "explain"}
# What the modules of each part may import of the project, besides themselves.
ALLOWED = {
    "blocks": set(),
    "errors": set(),
    "registration": set(),
    "files": {"errors"},
    "memory": set(),
    "plots": {"errors", "files"},
    "quiet": set(),
    "records": {"errors"},
    "row_files": {"errors", "files"},
    "sampled_rows": set(),
    "stored_rows": {"errors", "files"},
    "vector_codes": {"errors"},
    "diagnosis": {"errors", "files", "encoders"},
    "settings": {"errors", "files", "configs"},
    "corpus": BASE,
    "metrics": BASE | {"corpus"},
    "losses": BASE,
    "layers": BASE | {"corpus.vocabulary"},
    "encoders": BASE | {"corpus", "quiet"},
    "retrieval": BASE | {"corpus"},
    "evaluation": BASE | {"corpus", "metrics"},
    "tasks": BELOW_TASKS | {"export.signatures", "export.warmup"},
    "reach": BASE | {"corpus"},
    "training": BELOW_TASKS | {"tasks"},
    "explain": BASE | {"corpus"},
    "export": BASE,
    "recommenders": BELOW_RECOMMENDERS,
    "runs": BELOW_RECOMMENDERS | {"recommenders", "tracking", "quiet"},
    "engines": BELOW_RECOMMENDERS | {"recommenders", "runs"},
    "door": BELOW_RECOMMENDERS
    | {"recommenders", "runs", "comparison", "tuning", "tracking", "diagnosis", "engines"},
    "tracking": BELOW_RECOMMENDERS,
    "tuning": BELOW_RECOMMENDERS | {"recommenders", "runs", "comparison"},
    "comparison": BELOW_RECOMMENDERS | {"recommenders", "runs"},
    "testing": BELOW_RECOMMENDERS | {"recommenders", "runs", "door"},
    "serving": {"errors", "files", "memory", "export.signatures", "export.text_ops"},
    "configs": set(),
    "cli": BELOW_RECOMMENDERS | {"recommenders", "runs", "comparison", "door", "quiet", "serving"},
}
HEAVY = {
    "tensorflow", "keras", "keras_hub", "keras_nlp", "tensorflow_text", "tensorflow_hub",
    "spektral", "tensorflow_serving", "sklearn", "lightgbm", "matplotlib",
}  # fmt: skip


def modules():
    """(path, dotted name below `tfhashtag`) of every module of the project."""
    for folder, prefix in (("tfhashtag", ()), ("cli", ("cli",)), ("serving", ("serving",))):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield path, (*prefix, *(part for part in parts if part != "__init__"))


def chosen(condition):
    """Those modules as parameters."""
    found = [(path, own) for path, own in modules() if condition(path, own)]
    assert found
    return pytest.mark.parametrize(
        "path, own", [pytest.param(*pair, id="/".join(pair[1]) or "tfhashtag") for pair in found]
    )


def is_light(path, own):
    """Whether a module must not import TensorFlow, not even in a function."""
    light = not own or own[0] in ("errors", "files", "settings", "corpus", "metrics")
    return light


def imports(path, own, top_level_only=False):
    """Dotted names that a file imports, in functions too; relative ones are made absolute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    stack = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ["tfhashtag", *own]
            if path.name != "__init__.py":
                package.pop()
            package = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*package, node.module or ""]).strip(".")
            yield from (f"{source}.{alias.name}" for alias in node.names)
        if top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        stack.extend(ast.iter_child_nodes(node))


def part_of(name):
    """`data` for `tfhashtag.corpus.corpus.Corpus`; None for what is not the project's."""
    parts = name.split(".")
    if parts[0] != "tfhashtag":
        return None
    return ".".join(parts[1:])


@chosen(lambda path, own: own)  # the package itself resolves its public names lazily
def test_imports_run_downwards(path, own):
    allowed = ALLOWED[own[0]]
    for name in imports(path, own):
        imported = part_of(name)
        if imported is None or imported.split(".")[0] == own[0]:
            continue
        if imported in ("", "__version__"):
            continue
        assert any(f"{imported}.".startswith(f"{part}.") for part in allowed), (
            f"{path.relative_to(ROOT)} imports tfhashtag.{imported}; "
            f"{own[0]} may import {', '.join(sorted(allowed)) or 'nothing of the project'}"
        )


@chosen(is_light)
def test_data_is_free_of_tensorflow(path, own):
    roots = {name.split(".")[0] for name in imports(path, own, top_level_only=not own)}
    assert not roots & (HEAVY - {"matplotlib"}), f"{path.relative_to(ROOT)} is numpy only"


@chosen(lambda path, own: own[:1] == ("cli",))
def test_commands_import_inside_their_bodies(path, own):
    for name in imports(path, own, top_level_only=True):
        root = name.split(".")[0]
        assert root in sys.stdlib_module_names or root in ("click", "tfhashtag"), (
            f"{path.relative_to(ROOT)} imports {name} when it is loaded; import it in the function"
        )
        assert root != "tfhashtag" or part_of(name).split(".")[0] in (
            "__version__",
            "errors",
            "memory",
            "quiet",
            "cli",
        )


def source_of(node):
    return ast.unparse(node)


@chosen(lambda path, own: own[:2] != ("recommenders", "registry"))
def test_nothing_asks_which_recommender_it_has(path, own):
    """What differs between recommenders stands in their folders, not in an `if`."""
    names = set(model_names())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call) and source_of(node.func) == "isinstance":
            kinds = source_of(node.args[1]).replace("RecommenderSettings", "")
            assert "Settings" not in kinds, f"{where}: isinstance on {kinds}"
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            found = {
                part.value
                for side in sides
                for part in ast.walk(side)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            }
            asked = any(source_of(side).split(".")[-1] == "model" for side in sides)
            assert not (asked and found & names), f"{where}: compares the name of a model"


LONGEST_CLASS, LONGEST_FUNCTION, MOST_ARGUMENTS = 350, 60, 12
# Name to the reason for being longer.
EXCEPTIONS: dict[str, str] = {}


def length(node):
    """Lines of a definition without its docstring."""
    doc = 0
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        doc = first.end_lineno - first.lineno + 1
    return node.end_lineno - node.lineno + 1 - doc


@chosen(lambda path, own: True)
def test_definitions_are_small(path, own):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        name = f"{'.'.join(own)}.{node.name}"
        if name in EXCEPTIONS:
            continue
        where = f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        if isinstance(node, ast.ClassDef):
            assert length(node) <= LONGEST_CLASS, f"{where} has {length(node)} lines"
            continue
        assert length(node) <= LONGEST_FUNCTION, f"{where} has {length(node)} lines"
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        if node.name == "__init__":
            assert len(arguments) - 1 <= MOST_ARGUMENTS, f"{where} has {len(arguments) - 1}"


def test_exceptions_are_needed():
    defined = {
        f"{'.'.join(own)}.{node.name}"
        for path, own in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }
    assert set(EXCEPTIONS) <= defined
    assert all(EXCEPTIONS.values())


def test_light_parts_do_not_load_tensorflow():
    code = (
        "import sys, tfhashtag, tfhashtag.corpus, tfhashtag.metrics, tfhashtag.evaluation, "
        "tfhashtag.settings, tfhashtag.cli.main, tfhashtag.runs.evaluation, tfhashtag.door; "
        "print(sorted({'tensorflow', 'keras', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_check_sees_a_wrong_import(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("def f():\n    from ..models import x\n    import tfhashtag.runs.run\n")
    assert sorted(imports(path, ("corpus", "module"))) == [
        "tfhashtag.models.x",
        "tfhashtag.runs.run",
    ]
    assert list(imports(path, ("corpus", "module"), top_level_only=True)) == []


def test_what_is_made_once_is_there_for_every_worker(once, tmp_path_factory):
    """Else each worker trains everything anew, and nothing fails."""
    made = []
    folder = once("made once", "thing", made.append)
    assert once("made once", "thing", made.append) == folder and made == [folder]
    base = tmp_path_factory.getbasetemp()
    everybody = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    assert folder == everybody / "shared" / "made once" / "thing"
