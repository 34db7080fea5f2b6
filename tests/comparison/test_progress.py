"""The bar over systems and seeds."""

import io

import rich.console

from tfhashtag.comparison.progress import ComparisonProgress


def shown(**console):
    file = io.StringIO()
    with ComparisonProgress(rich.console.Console(file=file, width=90, **console)) as progress:
        progress.moved(1, 4)
        progress.note("joint 3, valid MAP [0.3]")
        progress.say("[2/4] [bold]LSTM, seed 0")
    return file.getvalue()


def test_a_terminal_shows_bar_and_lines():
    text = shown(force_terminal=True)
    assert "1/4" in text and "joint 3, valid MAP [0.3]" in text
    assert "[2/4] [bold]LSTM, seed 0" in text


def test_a_pipe_gets_the_lines_alone():
    assert shown() == "[2/4] [bold]LSTM, seed 0\n"


def test_quiet_shows_nothing():
    assert shown(quiet=True, force_terminal=True) == ""
