"""Explanations as one HTML page each, with everything inside it."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from tfhashtag.recommenders.audience.explanation import AudienceExplanation
from tfhashtag.recommenders.engagement.explanation import EngagementExplanation
from tfhashtag.recommenders.phr.explanation import SIDE_NAMES, PostExplanation

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem;
  color: #1c1c1c; background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
figure { margin: 1rem 0; } img { width: 100%; min-width: 40rem; height: auto; }
figcaption, .note { color: #555; font-size: .9rem; }
blockquote { margin: 1rem 0; padding: .5rem 1rem; border-left: 4px solid #0b5394;
  background: #f4f6f9; white-space: pre-wrap; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: left;
  vertical-align: top; overflow-wrap: normal; }
td.text { min-width: 14rem; overflow-wrap: anywhere; } td.tag { white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.true td { background: #eaf6ee; } .tag { white-space: nowrap; }
.word { padding: 0 .15em; border-radius: .2em; display: inline-block; }
"""
_ABOUT_FIGURES = {
    "parts.png": "Parts of the scores. They add up to the logit, the diamond.",
    "post_tag_own.png": "Figure 6: the user's similar posts by their hashtags. Left the weights.",
    "post_tag_others.png": "Figure 6 for similar posts by others. Left the weights.",
    "co_attention.png": "Figure 8: weights of each pair of sides (V picture, T text, U own posts, "
    "O others' posts) over the proposals.",
    "regions.png": "The weights of the pairs with the picture over its regions, and how much a "
    "logit falls when a region is replaced by the mean of all.",
    "graph.png": "Neighbours in the graph of posts.",
    "attention.png": "Left the user's attention over the hashtag's messages; right the likelihood "
    "of their words under the hashtag's topics.",
    "signals.png": "The signals with the largest parts.",
}


def post_page(explanation: PostExplanation, figures: Mapping[str, bytes]) -> str:
    """A post's explanation as HTML.

    Args:
        explanation: what to show.
        figures: PNG by file name; each is put into the page.
    """
    names = ", ".join(
        f"{_tag(name)}{'' if known else ' (no label: too rare)'}"
        for name, known in explanation.true_hashtags
    )
    body = [
        f"<h1>Hashtags for post {escape(explanation.post_id)}</h1>",
        f"<blockquote>{escape(explanation.text) or '(no text)'}</blockquote>",
        f"<p>By {escape(explanation.user)}, of the {explanation.split} posts. "
        f"It has {names or 'no hashtag'}.</p>",
        _note(explanation.run, explanation.model),
        "<h2>Parts of the scores</h2>",
        _figures(figures, ["parts.png"]),
        _post_scores(explanation),
        "<p class=note>network: the path of sides, co-attention, graph and MLP. The other parts "
        "are those of the residual path, where the model has one: own … named are its "
        "signals. Green: the post has the hashtag.</p>",
        _falls(explanation),
        "<h2>Similar posts</h2>",
        _figures(figures, ["post_tag_own.png", "post_tag_others.png"]),
        *(_similar(explanation, case) for case in explanation.post_tag),
        "<h2>Sides and regions</h2>",
        _figures(figures, ["co_attention.png", "regions.png"]),
        f"<p class=note>{escape(explanation.picture_note)}</p>" if explanation.picture_note else "",
        "<h2>Graph</h2>",
        _figures(figures, ["graph.png"]),
        _neighbours(explanation),
    ]
    return _page(f"Hashtags for post {explanation.post_id}", body)


def engagement_page(explanation: EngagementExplanation, figures: Mapping[str, bytes]) -> str:
    """A user and a hashtag, with the messages behind the score, as HTML."""
    highest = max(
        (word.topic or 0.0 for message in explanation.messages for word in message.words),
        default=0.0,
    )
    rows = [
        [
            _text(" ".join(_word(word, highest) for word in message.words) or "(no word)", True),
            _number(message.attention, "Purples"),
            _number(message.contribution),
            _number(message.without),
        ]
        for message in explanation.messages
    ]
    topics = [
        [_number(number, digits=0), _number(share), _text(", ".join(words))]
        for number, share, words in explanation.topics
    ]
    history = [
        [_text(text), *([] if weight is None else [_number(weight, "Purples")])]
        for text, weight in explanation.history
    ]
    weighed = any(weight is not None for _, weight in explanation.history)
    body = [
        *_pair_head(explanation),
        f"<p>Logit {explanation.logit:.4f} = bias {explanation.bias:+.4f}, user "
        f"{explanation.user_part:+.4f}, messages "
        f"{sum(message.contribution for message in explanation.messages):+.4f}.</p>",
        _figures(figures, ["attention.png"]),
        "<h2>Messages of the hashtag</h2>",
        _table(["message", "attention", "part of the logit", "fall without it"], rows),
        "<p class=note>The redder a word, the likelier under the hashtag's topics. Parts add up; "
        "falls do not: without a message attention and topics shift to the others.</p>",
        "<h2>Topics of the hashtag</h2>" if topics else "",
        _table(["topic", "share", "likeliest words"], topics) if topics else "",
        "<h2>The user's messages</h2>",
        _table(["message", *(["weight"] if weighed else [])], history),
    ]
    return _page(f"#{explanation.hashtag} for {explanation.user}", body)


def audience_page(explanation: AudienceExplanation, figures: Mapping[str, bytes]) -> str:
    """A user and a hashtag, with the signals, messages and authors behind the score, as HTML."""
    signals = [
        [
            _name(part.signal),
            _number(part.value),
            "<td></td>" if part.z is None else _number(part.z),
            _number(part.contribution),
            _number(part.error),
        ]
        for part in explanation.signals
    ]
    messages = [
        [_text(m.text), _name(m.author), _number(m.cosine), _number(m.weight, "Purples")]
        for m in explanation.messages
    ]
    kinds = ("closeness", "text", "taste", "tags", "names")
    authors = [
        [_name(author.user), *(_number(getattr(author, kind)) for kind in kinds)]
        for author in explanation.authors
    ]
    body = [
        *_pair_head(explanation),
        f"<p>Logit {explanation.logit:.4f} = {explanation.baseline:.4f} where every signal has its "
        "mean, and the parts below.</p>",
        _figures(figures, ["signals.png"]),
        "<h2>Closest messages</h2>",
        _table(["message", "author", "cosine", "weight"], messages),
        "<h2>Closest authors</h2>",
        _table(["author", *kinds], authors),
        "<h2>Signals</h2>",
        _table(["signal", "value", "z-score", "part of the logit", "standard error"], signals),
        "<p class=note>The parts add up to the logit exactly. How they are shared out among the "
        "signals is an estimate of their Shapley values, with its standard error.</p>",
    ]
    return _page(f"#{explanation.hashtag} for {explanation.user}", body)


def _pair_head(explanation) -> list[str]:
    does = "tags it" if explanation.tags_ahead else "does not tag it"
    return [
        f"<h1>{_tag(explanation.hashtag)} for {escape(explanation.user)}</h1>",
        f"<p>In the {explanation.split} split the user {does}.</p>",
        _note(explanation.run, explanation.model),
    ]


def _post_scores(explanation: PostExplanation) -> str:
    names = list(explanation.hashtags[0].parts)
    rows = [
        [
            _number(row.rank, digits=0),
            f"<td class=tag>{'✓ ' if row.true else ''}{_tag(row.hashtag)}</td>",
            _number(row.logit),
            *(_number(row.parts[name]) for name in names),
        ]
        for row in explanation.hashtags
    ]
    marked = [row.true for row in explanation.hashtags]
    return _table(["rank", "hashtag", "logit", *names], rows, marked)


def _falls(explanation: PostExplanation) -> str:
    names = list(explanation.hashtags[0].without)
    if not names:
        return ""
    rows = [
        [f"<td>{_tag(row.hashtag)}</td>", *(_number(row.without[name]) for name in names)]
        for row in explanation.hashtags
    ]
    return (
        "<h2>Without a part of the post</h2>"
        + _table(["fall of the logit without", *names], rows)
        + "<p class=note>Falls do not add up. Without similar posts the counts of the residual "
        "path stay.</p>"
    )


def _similar(explanation: PostExplanation, case) -> str:
    best = [row.hashtag for row in explanation.hashtags[:3]]
    rows = [
        [
            _text(post.text),
            _name(post.user),
            _text(" ".join(f"#{name}" for name in post.hashtags)),
            _number(post.similarity),
            "<td></td>" if post.attention is None else _number(post.attention, "Purples"),
            *(_number(value) for value in post.without[: len(best)]),
        ]
        for post in case.posts
    ]
    head = ["post", "user", "hashtags", "similarity", "attention"]
    falls = [f"fall of #{name} without it" for name in best]
    return f"<h3>{escape(SIDE_NAMES[case.side])}</h3>" + _table([*head, *falls], rows)


def _neighbours(explanation: PostExplanation) -> str:
    if not explanation.relations:
        return "<p class=note>The model has no graph.</p>"
    if not explanation.neighbours:
        return "<p class=note>The post has no similar train post.</p>"
    rows = [
        [
            _text(found.text),
            _name(found.user),
            _text(" ".join(f"#{name}" for name in found.hashtags)),
            *(_number(found.weights[relation]) for relation in explanation.relations),
        ]
        for found in explanation.neighbours
    ]
    return _table(["post", "user", "hashtags", *explanation.relations], rows)


def _word(word, highest: float) -> str:
    share = (word.topic or 0.0) / highest if highest > 0 else 0.0
    about = "" if word.topic is None else f" title='{word.topic:.2e}'"
    style = f"background: rgba(205, 38, 38, {0.75 * share:.3f})"
    return f"<span class=word style='{style}'{about}>{escape(word.text)}</span>"


def _text(text: str, ready: bool = False) -> str:
    return f"<td class=text>{text if ready else escape(text)}</td>"


def _name(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _number(value: float, colour: str = "", digits: int = 3) -> str:
    style = ""
    if colour:
        style = f" style='background: rgba(106, 81, 163, {0.7 * min(max(value, 0), 1):.3f})'"
    text = f"{value:.{digits}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return f"<td class=number{style}>{text}</td>"


def _tag(name: str) -> str:
    return f"<span class=tag>#{escape(name)}</span>"


def _note(run: str, model: str) -> str:
    return f"<p class=note>Run {escape(run)}, model {escape(model)}.</p>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], marked=()) -> str:
    marked = list(marked)
    lines = [
        f"<tr{' class=true' if at < len(marked) and marked[at] else ''}>{''.join(row)}</tr>"
        for at, row in enumerate(rows)
    ]
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    table = f"<thead><tr>{cells}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f"<div class=wide><table>{table}</table></div>"


def _figures(figures: Mapping[str, bytes], names: Sequence[str]) -> str:
    lines = []
    for name in names:
        if name in figures:
            content = base64.b64encode(figures[name]).decode("ascii")
            about = escape(_ABOUT_FIGURES[name])
            lines.append(
                "<figure><div class=wide>"
                f"<img alt='{about}' src='data:image/png;base64,{content}'></div>"
                f"<figcaption>{about}</figcaption></figure>"
            )
    return "".join(lines)


def _page(title: str, body: Sequence[str]) -> str:
    lines = "\n".join(part for part in body if part)
    return (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{lines}\n</body>\n</html>\n"
    )
