"""The machinery of the site: what it draws from the code, and what it refuses."""

import importlib
import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))


@pytest.fixture
def machinery(monkeypatch):
    """Gives a module of `docs/build_site` by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "build_site"))
    return importlib.import_module


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_without_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)


def test_every_command_and_every_option_has_its_place(machinery):
    import click

    from tfhashtag.cli.main import COMMANDS, tfhashtag

    pages = machinery("commands").pages()
    context = click.Context(tfhashtag)
    for name in COMMANDS:
        text = pages[f"reference/commands/{name}.md"]
        command = tfhashtag.get_command(context, name)
        inner = command.commands.values() if isinstance(command, click.Group) else [command]
        for one in inner:
            for option in one.params:
                if isinstance(option, click.Option):
                    assert f"`{option.opts[-1]}`" in text, (name, option.opts)


def test_every_setting_of_every_recommender_has_its_place(machinery):
    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.settings import describe, shipped

    pages = machinery("settings_pages").pages()
    for name in shipped():
        settings = load_settings(name)
        text = pages[f"reference/settings/{settings.model}.md"]
        for row in describe(settings):
            assert f"| `{row.key}` |" in text
            assert row.meaning in text
        assert f"| `{name}` |" in pages["reference/settings/index.md"]


def test_a_circle_of_imports_cannot_be_drawn(machinery):
    rooms = machinery("rooms")
    edges = {"cli": {"runs"}, "runs": {"files"}, "files": {"cli"}}
    with pytest.raises(SystemExit, match="cli -> runs -> files -> cli"):
        rooms._svg(edges)


def test_the_picture_leaves_out_what_follows(machinery):
    rooms = machinery("rooms")
    edges = {"cli": {"runs", "files"}, "runs": {"files"}, "files": set()}
    assert rooms._reduced(edges) == {"cli": {"runs"}, "runs": {"files"}, "files": set()}
    drawing = rooms._svg(edges)
    assert drawing.count('class="edge"') == 2
    assert all(f">{room}</text>" in drawing for room in edges)


def test_the_page_of_the_design_must_name_every_room(machinery):
    rooms = machinery("rooms")
    with pytest.raises(SystemExit, match="corpus"):
        rooms.drawn("rooms", "| `tfhashtag/files.py` | files |\n")


@pytest.mark.parametrize(
    "page, fault",
    [
        ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/a">', "loads //fonts.example/a"),
        ("<style>@import 'https://fonts.example/a'</style>", "loads https://fonts.example/a"),
        (f"<p>{ROOT}/run</p>", "shows the path"),
    ],
)
def test_a_page_that_loads_or_shows_what_it_must_not_is_refused(machinery, tmp_path, page, fault):
    checks = machinery("checks")
    (tmp_path / "index.html").write_text('<a href="https://keras.io">Keras</a><img src="a.svg">')
    checks.check_site(tmp_path, ROOT)
    (tmp_path / "page.html").write_text(page)
    with pytest.raises(SystemExit, match=fault):
        checks.check_site(tmp_path, ROOT)


@pytest.mark.parametrize(
    "text, there",
    [
        ("`tfhashtag.layers.CoAttention`", True),
        ("`tfhashtag.errors.DataError`", True),
        ("`tfhashtag.layers.Nothing`", False),
        ("`tfhashtag/corpus/splits.py`", True),
        ("`tests/nothing.py`", False),
    ],
)
def test_what_a_page_names_must_be_there(machinery, text, there):
    checks = machinery("checks")
    if there:
        checks.check_names("page.md", text, ROOT)
    else:
        with pytest.raises(SystemExit, match=r"page\.md"):
            checks.check_names("page.md", text, ROOT)
