"""Names of months in many languages, as CLDR has them."""

import re
import unicodedata

# A line a language: English, German, French, Italian, Spanish, Portuguese, Dutch, Swedish, Danish,
# Norwegian, Finnish, Estonian, Latvian, Lithuanian, Polish, Czech, Slovak, Slovenian, Croatian,
# Serbian (twice), Hungarian, Romanian, Catalan, Turkish, Greek, Bulgarian, Russian, Ukrainian,
# Belarusian, Indonesian, Malay, Hebrew, Arabic; as they stand within dates, and where a language
# has other ones that no such name begins with, another line for those that stand alone.
_NAMES = """
january february march april may june july august september october november december
januar februar märz april mai juni juli august september oktober november dezember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
januari februari maart april mei juni juli augustus september oktober november december
januari februari mars april maj juni juli augusti september oktober november december
januar februar marts april maj juni juli august september oktober november december
januar februar mars april mai juni juli august september oktober november desember
tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta \
lokakuuta marraskuuta joulukuuta
jaanuar veebruar märts aprill mai juuni juuli august september oktoober november detsember
janvāris februāris marts aprīlis maijs jūnijs jūlijs augusts septembris oktobris novembris \
decembris
sausio vasario kovo balandžio gegužės birželio liepos rugpjūčio rugsėjo spalio lapkričio gruodžio
sausis vasaris kovas balandis gegužė birželis liepa rugpjūtis rugsėjis spalis lapkritis gruodis
stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień
ledna února března dubna května června července srpna září října listopadu prosince
leden únor březen duben květen červen červenec srpen září říjen listopad prosinec
januára februára marca apríla mája júna júla augusta septembra októbra novembra decembra
január február marec apríl máj jún júl august september október november december
januar februar marec april maj junij julij avgust september oktober november december
siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada studenoga prosinca
siječanj veljača ožujak travanj svibanj lipanj srpanj kolovoz rujan listopad studeni prosinac
јануар фебруар март април мај јун јул август септембар октобар новембар децембар
januar februar mart april maj jun jul avgust septembar oktobar novembar decembar
január február március április május június július augusztus szeptember október november december
ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie
gener febrer març abril maig juny juliol agost setembre octubre novembre desembre
ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου \
νοεμβρίου δεκεμβρίου
ιανουάριος φεβρουάριος μάρτιος απρίλιος μάιος ιούνιος ιούλιος αύγουστος σεπτέμβριος οκτώβριος \
νοέμβριος δεκέμβριος
януари февруари март април май юни юли август септември октомври ноември декември
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь
січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня
січень лютий березень квітень травень червень липень серпень вересень жовтень листопад грудень
студзеня лютага сакавіка красавіка мая чэрвеня ліпеня жніўня верасня кастрычніка лістапада снежня
студзень люты сакавік красавік май чэрвень ліпень жнівень верасень кастрычнік лістапад снежань
januari februari maret april mei juni juli agustus september oktober november desember
januari februari mac april mei jun julai ogos september oktober november disember
ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר
يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر
"""
# Short names that no whole one begins with, or that several do and one language alone has so.
_SHORT = "- - mar,mrt - - čvn čvc - - - - -"
_ENGLISH = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_NAME = r"(?:d['’])?ב?(?P<name>[^\W\d_]{3,})[.׳]?"
_CLOCK = (
    r"(?: (?:um|à|a las?|a les|às|alle(?: ore)?|om|klo?\.?|plkst\.?|o|в|о|у|u|v|ob|la|στις|"
    r"pukul|-|–))?(?: (?P<hour>\d{1,2})[:.](?P<rest>\d\d(?:[:.]\d\d)?)"
    r"(?: ?(?P<half>[AaPpπμصم])(?:\.? ?[Mmμ]\.?)?)?)?(?: (?:Uhr|uur|h|ч\.?))?"
)
_WEEKDAY = r"(?:[^\W\d_][^\W\d_-]*(?:-feira)?\.? ){0,2}"
# `14. März 2024, 10:00 Uhr`, `14 de marzo de 2024 a las 10:00`, `jeudi 14 mars 2024 à 10:00`;
# `2024. gada 14. marts`; `2024. március 14. 10:00`, `2024 m. kovo 14 d.`; `mar. 14, 2024`
_DATES = [
    re.compile(form + _CLOCK)
    for form in (
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:\.|er|º|ª)? (?:de )?{_NAME} (?:del? )?(?P<year>\d{{4}})"
        r"\.?(?: [гр]\.?)?(?: [^\W\d_]{4,})?",
        rf"{_WEEKDAY}(?P<year>\d{{4}})\. gada (?P<day>\d{{1,2}})\. {_NAME}",
        rf"(?P<year>\d{{4}})\.? (?:m\. )?{_NAME} (?P<day>\d{{1,2}})\.?(?: d\.)?"
        r"(?: [^\W\d_]{4,}\.?)?",
        rf"{_WEEKDAY}{_NAME} (?P<day>\d{{1,2}}) (?P<year>\d{{4}})",
    )
]


def _plain(name: str) -> str:
    """A name without case and accents, which people leave out."""
    parts = unicodedata.normalize("NFD", name.casefold().replace("ı", "i"))
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


_WHOLE: dict[str, set[int]] = {}
for _line in (*_NAMES.strip().splitlines(), " ".join(_ENGLISH), _SHORT):
    for _number, _names in zip(range(1, 13), _line.split(), strict=True):
        for _each in _names.split(","):
            _WHOLE.setdefault(_plain(_each), set()).add(_number)


def _months(name: str) -> set[int]:
    """Of which months a name is, else of which it is the beginning."""
    name = _plain(name)
    begun = (numbers for whole, numbers in _WHOLE.items() if whole.startswith(name))
    return _WHOLE.get(name) or set().union(*begun)


def in_english(text: str) -> str:
    """A date whose month is named in any language known here, with the English name; else the text.

    A name may be cut after three letters or more. One that is of two months, as `juin` and
    `juillet` begin alike and `listopada` is October in Croatian and November in Polish, stays.

    >>> in_english("14. März 2024 10:00 Uhr"), in_english("3 de dic. de 2023 a las 9:05 p. m.")
    ('14 Mar 2024 10:00', '3 Dec 2023 9:05 PM')
    >>> in_english("2024. szept. 14. 10:00"), in_english("14. maaliskuuta 2024 klo 10.00")
    ('14 Sep 2024 10:00', '14 Mar 2024 10:00')
    >>> in_english("3 jui 2024"), in_english("1 listopada 2023"), in_english("14 Nov 2023")
    ('3 jui 2024', '1 listopada 2023', '14 Nov 2023')
    """
    found = next(filter(None, (form.fullmatch(text) for form in _DATES)), None)
    months = _months(found["name"]) if found else set()
    if not found or len(months) != 1:
        return text
    clock = f" {found['hour']}:{found['rest'].replace('.', ':')}" if found["hour"] else ""
    half = (found["half"] and (" AM" if found["half"] in "Aaπص" else " PM")) or ""
    return f"{found['day']} {_ENGLISH[min(months) - 1]} {found['year']}{clock}{half}"
