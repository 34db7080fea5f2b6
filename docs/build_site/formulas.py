"""Formulas as MathML."""

import html
import re

from latex2mathml.converter import convert

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def as_mathml(page: str) -> str:
    """The HTML of a page with its LaTeX as MathML; without a script, and offline."""
    page = _BLOCK.sub(lambda found: _formula(found[1], "block"), page)
    return _INLINE.sub(lambda found: _formula(found[1], "inline"), page)


def _formula(latex: str, display: str) -> str:
    latex = html.unescape(latex).strip()
    made = convert(latex, display=display)
    return f'<div class="formula">{made}</div>' if display == "block" else made
