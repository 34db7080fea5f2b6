"""Months by name, against what CLDR has, as Babel gives it."""

import datetime

import pytest

from tfhashtag.corpus.months import in_english
from tfhashtag.corpus.post_faults import BadPost
from tfhashtag.corpus.times import Times

LANGUAGES = (
    "en de fr it es pt nl sv da nb fi et lv lt pl cs sk sl hr sr sr_Latn hu ro ca tr el bg ru uk "
    "be id he"
)
# Each is of two months in what is read here: Croatian names them otherwise than Polish and Czech.
BOTH = {"listopada", "listopad", "lis", "lip", "srp"}


@pytest.mark.parametrize("language", LANGUAGES.split())
def test_dates_as_a_language_writes_them(language):
    dates = pytest.importorskip("babel.dates")
    locale = pytest.importorskip("babel").Locale.parse(language)
    for month in range(1, 13):
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                name = locale.months[context][width][month].removeprefix("de ").removeprefix("d’")
                if name != "ag.":  # of Catalan; names are three letters long
                    same = f"14 {name} 2024" if name in BOTH else None
                    english = datetime.date(2024, month, 14).strftime("%-d %b %Y")
                    assert in_english(f"14 {name} 2024") == (same or english)
        at = datetime.datetime(2024, month, 14, 15, 7)
        for width in ("full", "long"):
            day = dates.format_date(at, width, locale)
            clock = dates.format_time(at, "short", locale=locale)
            text = locale.datetime_formats["medium"].format(clock, day)
            if not BOTH.intersection(text.split()):
                assert Times().read(text) == at.replace(tzinfo=datetime.UTC).timestamp(), text


@pytest.mark.parametrize(
    "text",
    [
        "2024년 3월 14일 오후 3:07", "2024年3月14日 下午3:07", "2024年3月14日15:07",
        "14. 3. 2024 15:07", "14.3.2024 15.07", "14.03.2024 г., 15:07",
        "14 de marzo de 2024 a las 3:07 p. m.",
        "to 14. maaliskuuta 2024 klo 15.07", "2024. márc. 14. 15:07", "14 mart. 2024 15:07",
        "mar. 14, 2024 3:07 pm", "14 ΜΑΡΤΙΟΥ 2024 3:07 μ.μ.", "14 Mart 2024 15:07",
        "14. ožujka 2024. u 15:07", "14. března 2024 v 15:07", "14 martie 2024 la 15:07",
    ],
)  # fmt: skip
def test_times_as_people_have_them(text):
    times = Times()
    times.see(text, "line 1")
    times.settle()
    assert times.read(text) == 1_710_428_820


@pytest.mark.parametrize("text", ["14 jui 2024", "2024 14 march", "14 lip 2024", "14 tea 2024"])
def test_what_is_of_no_month_or_of_two_is_refused(text):
    with pytest.raises(BadPost, match="expected seconds since 1970"):
        Times().read(text)
