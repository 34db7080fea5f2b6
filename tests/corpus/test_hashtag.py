"""What a hashtag is: against the tables of Unicode, and that nothing else goes out of a text."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.corpus.hashtag import (
    distinct_names,
    find_hashtags,
    hashtag_key,
    hashtag_name,
    holds_hashtag,
    take_hashtags_out,
)

SCRIPTS = (
    *("Latin", "Greek", "Cyrillic", "Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil", "Thai"),
    *("Hangul", "Hiragana", "Katakana", "Georgian", "Armenian", "Ethiopic", "Khmer"),
)
#: Not letters, marks or digits, but inside names on the platforms.
MEDIAL = set("\u200c\u200d\u00ad\u2060\u00b7\u30fb\u30a0\u05f3\u05f4\u0f0b\u0f0c")


def characters(script):
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x20000)]))
    found = regex.findall(rf"\p{{Script={script}}}", every)
    return [c for c in found if unicodedata.category(c) != "Cn" and c not in MEDIAL]


@pytest.mark.parametrize("script", SCRIPTS)
def test_letters_marks_and_digits_by_the_tables_of_unicode(script):
    chosen = characters(script)
    assert len(chosen) > 30
    for character in chosen:
        belongs = unicodedata.category(character)[0] in "LM" or (
            unicodedata.category(character) == "Nd"
        )
        whole = f"k{character}k"
        expected = hashtag_name(whole) if belongs else "k"
        assert find_hashtags(f"#{whole}") == [expected], hex(ord(character))


@pytest.mark.parametrize(
    "names, one",
    [
        (["café", "cafe\u0301", "CAFÉ", "#café"], True),
        (["Python", "python", "PYTHON", "＃python", "##python", "ｐｙｔｈｏｎ"], True),
        (["Straße", "STRASSE", "strasse"], True),
        (["می\u200cخواهم", "میخواهم"], True),
        (["a\u200db", "ab", "a\ufe0fb"], True),
        (["Σίσυφος", "ΣΊΣΥΦΟΣ"], True),
        (["ﬁsh", "fish"], True),
        (["cafe", "café"], False),
        (["İstanbul", "istanbul"], False),
        (["が", "か"], False),
        (["कि", "कु"], False),
    ],
)
def test_when_two_names_are_one_hashtag(names, one):
    assert (len({hashtag_key(name) for name in names}) == 1) is one
    assert (len(distinct_names(names)) == 1) is one


def test_what_texts_hold():
    text = (
        "＃おはよう #Tea#tea C#dev https://a.org/guide#install #2024 #1st_ ##two &#39; #_ (#x) a#b"
    )
    assert find_hashtags(text) == ["おはよう", "Tea", "1st_", "two", "x"]
    assert find_hashtags("#️⃣ #!") == []


@pytest.mark.parametrize(
    "text, names, left",
    [
        ("x ＃おはよう y", ["おはよう"], "x y"),
        ("good #cafe\u0301", ["café"], "good"),
        ("good #café", ["cafe\u0301"], "good"),
        ("Straße #STRASSE", ["Straße"], "Straße"),
        ("a #Über b", ["uber"], "a b"),
        ("a #ŁÓDŹ b", ["lodz"], "a b"),
        ("roast\n#coffee #roast#glued", ["coffee", "roast", "glued"], "roast"),
        ("#other#coffee!", ["coffee"], "#other!"),
        ("今日の#コーヒーを", ["コーヒーを"], "今日の"),
        ("☕️#coffee", ["coffee"], "☕️"),
        ("#pale-ale, #c# #c++x #c++", ["pale-ale", "c#", "c++"], ", #c++x"),
        ("#می\u200cخواهم", ["میخواهم"], ""),
        ("#话题# 你好", ["话题"], "你好"),
        ("#2018 in a word", ["2018"], "in a word"),
        ("#ハリー・ポッター!", ["ハリー・ポッター"], "!"),
        ("https://t.co/x,#coffee", ["coffee"], "https://t.co/x,"),
        ("#\u200bcoffee", ["coffee"], ""),
        ("a #👍🏽 b", ["👍🏽"], "a b"),
        ("a #ⓣⓔⓐ #𝐭𝐞𝐚 #ᵗᵉᵃ #tea²", ["tea"], "a²"),
        ("το #ΚΑΦΕΣ", ["καφές"], "το"),
        ("أحب #قـهوة #قَهْوَة #احمد", ["قهوة", "أحمد"], "أحب"),
        ("#שָׁלוֹם x #еще", ["שלום", "ещё"], "x"),
        ("#cof\u200bfee #te\u200fa #tea\u200bmilk", ["coffee", "tea"], "\u200bmilk"),
        ("#rock’n’roll x", ["rock'n'roll"], "x"),
        ("git #İSTANBUL #ıstanbul", ["istanbul"], "git"),
        ("#한국 x #한국을 #चाय।", ["한국", "चाय"], "x #한국을।"),
        ("#\ufe0f\u20e3tea ♯tea _#tea_ __#tea #🆃🅴🅰 #ᴛᴇᴀ x", ["tea"], "__ __ x"),
        ("#Gruesse #grüße x", ["Grüße"], "x"),
        ("x https://x.example/hashtag/Tea?src=h y", ["tea"], "x y"),
        ("https://x.example/explore/tags/caf%C3%A9/, https://x.example/tags/café!", ["café"], ",!"),
        ("x https://x.example/search?q=%23tea%20%23milk", ["milk"], "x"),
        ("https://x.example/feed/hashtag/?keywords=tea x.example/tagged/tea", ["tea"], ""),
        ("good [#tea](https://x.example/tags/tea) x", ["tea"], "good  x"),
    ],
)
def test_own_hashtags_go_in_whatever_form(text, names, left):
    found = take_hashtags_out(text, names)
    assert found == left
    assert not holds_hashtag(found, names)


@pytest.mark.parametrize(
    "text",
    [
        "see https://docs.example.org/guide#install and www.x.org/#install",
        "docs.example.org/guide/#install",
        "C#install",
        "a#install-now",
        "#installer #install_it  two  spaces",
        "install & &#39;",
        "x.example/tags/installer and https://x.example/install?tag=install",
        "a_install 5#install",
    ],
)
def test_nothing_else_is_eaten(text):
    assert take_hashtags_out(text, ["install", "39"]) == text


@pytest.mark.parametrize(
    "text, held",
    [
        ("x #<span>Gardening</span>", True),
        ("x &#35;gardening", True),
        ("https://x.org/#gardening", True),
        ("C#gardening", True),
        ("# gardening", True),
        ("#**gardening**", True),
        ("https://x.example/?q=%23gardening", True),
        ("gardening #gardeners", False),
        ("[](https://m.example.org/tags/gardening) end", True),
        ("https://example.org/hashtag/Gardening?src=x", True),
        ("https://example.org/tags/gardeners /gardening", False),
    ],
)
def test_what_is_left_is_seen(text, held):
    assert holds_hashtag(text, ["Gardening"]) is held


@given(st.text(max_size=20), st.text(max_size=8))
def test_any_text(text, name):
    assert hashtag_key(hashtag_name(name)) == hashtag_key(name) == hashtag_key(hashtag_key(name))
    assert take_hashtags_out(text, find_hashtags(text)).count("#") <= text.count("#")
