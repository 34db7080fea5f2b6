"""The picture of the rooms of the code and their imports, drawn from the imports themselves."""

import pathlib
import re
import runpy
from html import escape

ROOT = pathlib.Path(__file__).parent.parent.parent
WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 118, 34, 26, 52, 16


def drawn(name: str, page: str) -> str:
    """The picture `name` as SVG; `page` must speak of exactly what the picture shows."""
    if name != "rooms":
        raise ValueError(f"expected `rooms`, found {name!r}")
    edges = imports_of_rooms()
    told = set(re.findall(r"^\| `(?:tfhashtag/)?(\w+)(?:\.py)?`", page, re.MULTILINE))
    if told != set(edges):
        raise SystemExit(
            f"architecture.md: its table lacks {sorted(set(edges) - told)} and has "
            f"{sorted(told - set(edges))} which no folder of the code is."
        )
    return _svg(edges)


def imports_of_rooms() -> dict[str, set[str]]:
    """Which rooms each room imports, read from the code as tests/test_architecture.py reads it."""
    reader = runpy.run_path(str(ROOT / "tests" / "test_architecture.py"))
    edges: dict[str, set[str]] = {}
    for path, own in reader["modules"]():
        if not own:
            continue
        here = edges.setdefault(own[0], set())
        for name in reader["imports"](path, own):
            imported = reader["part_of"](name)
            if imported:
                here.add(imported.split(".")[0])
    return {
        room: {other for other in others if other in edges and other != room}
        for room, others in edges.items()
    }


def _levels(edges):
    """How many imports lie beneath each room at most; a circle is an error."""
    levels: dict[str, int] = {}

    def level(room, above):
        if room in above:
            raise SystemExit(f"The rooms {' -> '.join([*above, room])} import one another.")
        if room not in levels:
            below = [level(other, [*above, room]) for other in sorted(edges[room])]
            levels[room] = 1 + max(below, default=-1)
        return levels[room]

    for room in edges:
        level(room, [])
    return levels


def _reduced(edges):
    """The imports that do not follow from others."""

    def reached(room):
        found = set()
        for other in edges[room]:
            found |= {other} | reached(other)
        return found

    return {
        room: {
            other
            for other in others
            if not any(other in reached(between) for between in others - {other})
        }
        for room, others in edges.items()
    }


def _svg(edges):
    levels, arrows = _levels(edges), _reduced(edges)
    rows = [
        sorted(room for room in edges if levels[room] == level)
        for level in range(max(levels.values()), -1, -1)
    ]
    widest = max(map(len, rows))
    total = widest * WIDTH + (widest - 1) * ACROSS + 2 * MARGIN
    place = {}
    for number, row in enumerate(rows):
        if number:  # rooms stand beneath those that import them
            row.sort(key=lambda room: _middle(room, arrows, place))
        left = (total - len(row) * WIDTH - (len(row) - 1) * ACROSS) / 2
        for column, room in enumerate(row):
            place[room] = (left + column * (WIDTH + ACROSS), MARGIN + number * (HEIGHT + DOWN))
    height = 2 * MARGIN + len(rows) * HEIGHT + (len(rows) - 1) * DOWN
    shapes = [
        _arrow(place[room], place[other], levels[room] - levels[other])
        for room in edges
        for other in sorted(arrows[room])
    ]
    for room, (x, y) in place.items():
        shapes.append(
            f'<g><title>{escape(_title(room, edges))}</title>'
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>'
            f'<text x="{x + WIDTH / 2:g}" y="{y + HEIGHT / 2 + 5:g}">{room}</text></g>'
        )
    return (
        f'<figure class="drawing rooms"><svg viewBox="0 0 {total:g} {height:g}" role="img" '
        'aria-label="The rooms of the code; arrows point to what a room imports">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
        + "".join(shapes)
        + "</svg></figure>"
    )


def _middle(room, arrows, place):
    above = [place[other][0] for other, others in arrows.items() if room in others and other in place]
    return sum(above) / len(above) if above else float("inf")


def _title(room, edges):
    return f"{room} imports {', '.join(sorted(edges[room])) or 'nothing of the project'}"


def _arrow(start, end, steps):
    x, y = start[0] + WIDTH / 2, start[1] + HEIGHT
    to_x, to_y = end[0] + WIDTH / 2, end[1]
    bend = DOWN * 0.6 if steps == 1 else DOWN * 0.9
    return (
        f'<path class="edge" d="M{x:g} {y:g}C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} '
        f'{to_x:g} {to_y - 1:g}" marker-end="url(#tip)"/>'
    )
