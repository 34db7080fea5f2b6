"""Names of months in many languages, as CLDR has them."""

import re
import unicodedata

# A line a month: English, German, French, Italian, Spanish, Portuguese, Dutch, Swedish and Danish,
# Polish, Czech, Croatian, Turkish, Russian and Ukrainian, as they stand within dates.
_NAMES = """
january januar jänner janvier gennaio enero janeiro januari stycznia ledna siječnja ocak января \
січня
february februar feber février febbraio febrero fevereiro februari lutego února veljače şubat \
февраля лютого
march märz mars marzo março maart marts marca března ožujka mart марта березня
april avril aprile abril kwietnia dubna travnja nisan апреля квітня
may mai maggio mayo maio mei maj maja května svibnja mayıs мая травня
june juni juin giugno junio junho czerwca června lipnja haziran июня червня
july juli juillet luglio julio julho lipca července srpnja temmuz июля липня července
august août agosto augustus augusti sierpnia srpna kolovoza ağustos августа серпня
september septembre settembre septiembre setembro września září rujna eylül сентября вересня
october oktober octobre ottobre octubre outubro października října listopada ekim октября жовтня
november novembre noviembre novembro listopada listopadu studenoga kasım ноября листопада
december dezember décembre dicembre diciembre dezembro desember grudnia prosince prosinca aralık \
декабря грудня
"""
_ENGLISH = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
# `14. März 2024, 10:00 Uhr`, `14 de marzo de 2024 a las 10:00`, `jeudi 14 mars 2024 à 10:00`
_DATE = re.compile(
    r"(?:[^\W\d_]+\.? )?(\d{1,2})(?:\.|er|º)? (?:de |d')?([^\W\d_]{3,})\.? (?:de |del )?(\d{4})"
    r"(?: г\.| р\.)?(?: (?:um|à|a las|às|alle(?: ore)?|om|kl\.?|o|в|о|-))?"
    r"( \d{1,2}:\d\d(?::\d\d)?)?(?: (?:Uhr|uur|h))?"
)


def _plain(name: str) -> str:
    """A name without case and accents, which people leave out."""
    parts = unicodedata.normalize("NFD", name.casefold())
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


_MONTH_OF = [
    (_plain(name), number)
    for number, line in enumerate(_NAMES.strip().splitlines())
    for name in line.split()
]


def in_english(text: str) -> str:
    """A date whose month is named in any language known here, with the English name; else the text.

    A name may be cut after three letters or more. One that is of two months, as `juin` and
    `juillet` begin alike and `listopada` is October in Croatian and November in Polish, stays.

    >>> in_english("14. März 2024 10:00 Uhr"), in_english("3 de dic. de 2023 a las 9:05")
    ('14 Mar 2024 10:00', '3 Dec 2023 9:05')
    >>> in_english("3 jui 2024"), in_english("1 listopada 2023"), in_english("14 Nov 2023")
    ('3 jui 2024', '1 listopada 2023', '14 Nov 2023')
    """
    found = _DATE.fullmatch(text)
    name = _plain(found[2]) if found else ""
    months = {number for whole, number in _MONTH_OF if found and whole.startswith(name)}
    if not found or len(months) != 1:
        return text
    return f"{found[1]} {_ENGLISH[months.pop()]} {found[3]}{found[4] or ''}"
