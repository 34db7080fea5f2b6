"""The picture of the rooms of the code and their imports, drawn from the imports themselves."""

import itertools
import pathlib
import re
import runpy
from html import escape

ROOT = pathlib.Path(__file__).parent.parent.parent
WIDTH, HEIGHT, LANE, ACROSS, DOWN, MARGIN = 104, 32, 6, 14, 40, 12


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
    rows, routes = _rows(edges, levels, arrows)
    _without_crossings(rows, routes)
    place, total = _places(rows)
    height = 2 * MARGIN + len(rows) * HEIGHT + (len(rows) - 1) * DOWN
    shapes = [_arrow([place[stop] for stop in route]) for route in routes]
    for room in edges:
        x, y = place[room]
        shapes.append(
            f"<g><title>{escape(_title(room, edges))}</title>"
            f'<rect x="{x - WIDTH / 2:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>'
            f'<text x="{x:g}" y="{y + HEIGHT / 2 + 5:g}">{room}</text></g>'
        )
    return (
        f'<figure class="drawing rooms"><svg viewBox="0 0 {total:g} {height:g}" role="img" '
        'aria-label="The rooms of the code; arrows point to what a room imports">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
        + "".join(shapes)
        + "</svg></figure>"
    )


def _rows(edges, levels, arrows):
    """Rooms by level, the highest first, and the stops of each arrow, one in every row it passes.

    A stop between two rooms is a tuple, so that it keeps a gap in its row free.
    """
    top = max(levels.values())
    rows = [sorted(room for room in edges if levels[room] == top - row) for row in range(top + 1)]
    routes = []
    for room, others in arrows.items():
        for other in sorted(others):
            between = [(room, other, row) for row in range(levels[other] + 1, levels[room])][::-1]
            for stop in between:
                rows[top - stop[2]].append(stop)
            routes.append([room, *between, other])
    return rows, routes


def _without_crossings(rows, routes):
    """Puts what hangs together beneath one another: rows by the mean place of their neighbours."""
    beside = {}
    for route in routes:
        for stop, following in itertools.pairwise(route):
            beside.setdefault(stop, []).append(following)
            beside.setdefault(following, []).append(stop)
    for sweep in range(24):
        order = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        for row in order:
            near = rows[row - 1 if sweep % 2 == 0 else row + 1]
            share = {stop: (n + 0.5) / len(near) for n, stop in enumerate(near)}

            def wanted(stop, share=share, row=row):
                found = [share[other] for other in beside.get(stop, ()) if other in share]
                return sum(found) / len(found) if found else rows[row].index(stop) / len(rows[row])

            rows[row] = sorted(rows[row], key=wanted)


def _places(rows):
    """The middle of the upper edge of each room and stop, and the width of the drawing."""

    def width(stop):
        return WIDTH if isinstance(stop, str) else LANE

    widths = [sum(map(width, row)) + ACROSS * (len(row) - 1) for row in rows]
    total = max(widths) + 2 * MARGIN
    place = {}
    for number, row in enumerate(rows):
        x = (total - widths[number]) / 2
        for stop in row:
            place[stop] = (x + width(stop) / 2, MARGIN + number * (HEIGHT + DOWN))
            x += width(stop) + ACROSS
    return place, total


def _title(room, edges):
    return f"{room} imports {', '.join(sorted(edges[room])) or 'nothing of the project'}"


def _arrow(stops):
    """A curve from beneath the first stop, through the rows between, to above the last."""
    (x, y), *rest = stops
    y += HEIGHT
    path = f"M{x:g} {y:g}"
    for number, (to_x, to_y) in enumerate(rest, 1):
        last = number == len(rest)
        bend = (to_y - y) / 2
        end = to_y - 1 if last else to_y
        path += f"C{x:g} {y + bend:g} {to_x:g} {end - bend:g} {to_x:g} {end:g}"
        x, y = to_x, to_y
        if not last:
            y += HEIGHT
            path += f"V{y:g}"
    return f'<path class="edge" d="{path}" marker-end="url(#tip)"/>'
