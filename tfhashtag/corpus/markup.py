"""HTML of posts to text."""

import html
import re

_TAGS = "p|br|a|span|div|b|i|em|strong|u|ul|ol|li|blockquote|code|pre|img|h[1-6]"
_MARKUP = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
#: Tags of HTML by their names, and comments: `<LIVE now>` and `</3` are none.
TAG = (
    r"</?(?:a|abbr|address|article|aside|audio|b|bdi|bdo|big|blockquote|body|br|button|caption|center"
    r"|cite|code|dd|del|details|dfn|div|dl|dt|em|embed|figcaption|figure|font|footer|form|h[1-6r]"
    r"|head|header|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|meta|nav|ol|p|picture|pre"
    r"|q|s|samp|script|section|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody"
    r"|td|tfoot|th|thead|time|title|tr|tt|u|ul|var|video|wbr)(?:\s[^<>]*)?/?>|<!--[^<>]*-->"
)
# Behind a sign a tag or a reference, also inside the name; a sign that is a reference; a link.
_SPLIT_HASHTAG = re.compile(
    r"[#\uff03\ufe5f][^\s#<>&]*(?:<[/!a-z][^<>]*>|&(?:\w+|#\d+|#x[0-9a-f]+);)"
    r"|&(?:amp;)*(?:#(?:0*35|x0*23|0*65283|x0*ff03|0*65119|x0*fe5f)|num);|<a\s[^<>]*href"
    r"|&(?:amp;)*lt;(?:a\s|span)",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(r"&#(?=[0-9]{100})")  # Python refuses numbers of 4,300 digits
_TWICE = 3  # times that a text may have been escaped
# A hashtag as LinkedIn's texts have it: `{hashtag|\#|tea}`, and `hashtag#tea` where it is copied.
_WRITTEN_OUT = re.compile(r"\{hashtag\|\\?[#\uff03]\|([^{}|]+)\}|\bhashtag(?=[#\uff03]\w)")


def has_markup(text: str) -> bool:
    """Whether tags of HTML stand in a text.

    >>> has_markup("<p>tea</p>"), has_markup("a < b > c")
    (True, False)
    """
    return "<" in text and _MARKUP.search(text) is not None


def splits_hashtag(text: str) -> bool:
    """Whether markup or a character reference stands in a hashtag, or a link that may hold one.

    >>> splits_hashtag("#<span>tea</span>"), splits_hashtag("#caf&eacute;"), splits_hashtag("a&b")
    (True, True, False)
    """
    return ("<" in text or "&" in text) and _SPLIT_HASHTAG.search(text) is not None


def plain_hashtags(text: str) -> str:
    r"""A text with hashtags as people write them, where a platform writes them out.

    >>> plain_hashtags(r"good {hashtag|\#|tea} and hashtag#milk")
    'good #tea and #milk'
    """
    if "hashtag" not in text:
        return text
    return _WRITTEN_OUT.sub(lambda found: f"#{found[1]}" if found[1] else "", text)


def unescaped(text: str) -> str:
    """A text without references to characters; those of endless numbers stay, as they are none.

    >>> unescaped("a &amp; b"), unescaped("&#" + "9" * 5000)[:5]
    ('a & b', '&#999')
    """
    return html.unescape(_TOO_LONG.sub("&amp;#", text))


def whole_text_of(markup: str) -> str:
    """As `text_of`, also where a text has been escaped more than once.

    >>> whole_text_of("&lt;p&gt;#&lt;b&gt;tea&lt;/b&gt;&lt;/p&gt;")
    '#tea'
    """
    text = text_of(markup)
    for _ in range(_TWICE):
        if not splits_hashtag(text):
            break
        text = text_of(text)
    return text


def text_of(markup: str) -> str:
    r"""What a reader sees: without tags, paragraphs and line breaks as lines.

    >>> text_of('<p>Good #<span>tea</span></p><p>a<br>b &amp; c</p>')
    'Good #tea\n\na\nb & c'
    """
    if "<" not in markup:
        return unescaped(markup)
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(_TOO_LONG.sub("&amp;#", markup), "html.parser")
    for element in soup(["script", "style"]):
        element.decompose()
    for element in soup("br"):
        element.replace_with("\n")
    for element in soup(["p", "div", "li", "blockquote"]):
        element.append("\n\n" if element.name in ("p", "blockquote") else "\n")
    return soup.get_text().strip()
