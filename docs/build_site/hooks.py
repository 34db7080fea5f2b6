"""What the site takes from the code: commands, settings, API, pictures, executed notebooks.

MkDocs calls the functions whose names begin with `on_`. Everything that does not fit raises, so
that `make docs` fails.
"""

import pathlib
import re

import api
import checks
import commands
import formulas
import notebooks
import rooms
import settings_pages
from mkdocs.structure.files import File, InclusionLevel

DOCS = pathlib.Path(__file__).parent.parent
ROOT = DOCS.parent
BUILD = ROOT / "build" / "docs"
GENERATED = {  # the folder that stands in the navigation, and who writes its pages
    "reference/commands/": commands.pages,
    "reference/settings/": settings_pages.pages,
    "reference/api/": api.pages,
}
# Pages of the repository's root that stand in the site too.
ROOT_PAGES = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
_PLACE = re.compile(r"<!-- drawn: ([\w-]+) -->")


def on_config(config):
    """Puts the generated pages into the navigation and shows the code to mkdocstrings."""
    config.extra["made"] = {folder: write() for folder, write in GENERATED.items()}
    config.nav = _filled(config.nav, config.extra["made"])
    rooms.drawn("rooms", (DOCS / "architecture.md").read_text(encoding="utf-8"))
    api.lay_out_package(BUILD / "package")
    config.watch += [str(ROOT / name) for name in ("tfhashtag", "cli", "configs")]
    return config


def on_files(files, config):
    """Adds the generated pages and the executed notebooks."""
    made = {name: text for pages in config.extra["made"].values() for name, text in pages.items()}
    for name, source in ROOT_PAGES.items():
        made[name] = _moved_links((ROOT / source).read_text(encoding="utf-8"))
    running = {
        str(path.relative_to(DOCS).with_suffix(".md")): path
        for folder in ("tutorials", "guides")
        for path in sorted((DOCS / folder).iterdir())
        if notebooks.runs(path)
    }
    made |= notebooks.executed(running, BUILD / "notebooks")
    for name, text in made.items():
        if (written := files.get_file_from_path(name)) is not None:
            files.remove(written)
        files.append(File.generated(config, name, content=text, inclusion=InclusionLevel.INCLUDED))
    return files


def on_page_markdown(markdown, page, config, files):
    """Draws the pictures in place of their marks; what a page names must be there."""
    if page.file.generated_by is None:
        checks.check_names(page.file.src_uri, markdown, ROOT)
    return _PLACE.sub(lambda found: rooms.drawn(found[1], markdown), markdown)


def on_page_content(html, page, config, files):
    """Formulas become MathML, which browsers show without a script."""
    return formulas.as_mathml(html)


def on_post_build(config):
    """Looks over the finished pages."""
    checks.check_site(pathlib.Path(config.site_dir), ROOT)


def _filled(nav, made):
    """The navigation with generated folders in place of their names."""
    filled = []
    for entry in nav:
        if isinstance(entry, dict):
            [(title, value)] = entry.items()
            if isinstance(value, list):
                filled.append({title: _filled(value, made)})
            else:
                filled.append({title: list(made[value]) if value in made else value})
        else:
            filled.append(entry)
    return filled


def _moved_links(text):
    """Links of a page of the root, as they read from within `docs/`."""
    return text.replace("](docs/", "](")
