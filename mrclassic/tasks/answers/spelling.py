"""One spelling for what is written in many ways: LaTeX wrappers, spacing, Unicode signs, thousands separators.

`tidy` makes a text ready for the lexer, `squeezed` makes two spellings of one text the same string. Neither decides
what anything means.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 512  # characters of an answer that are read; nobody's answer is longer

_SIGNS = {
    "\u2212": "-", "\u2013": "-", "\u2014": "-", "\u2010": "-", "\u2011": "-", "\ufe63": "-", "\u00ad": "",
    "×": r"\times ", "·": r"\cdot ", "∙": r"\cdot ", "⋅": r"\cdot ", "•": r"\cdot ", "÷": r"\div ", "\u2215": "/",
    "√": r"\sqrt ", "∛": r"\sqrt[3] ", "π": r"\pi ", "∞": r"\infty ", "±": r"\pm ", "∓": r"\mp ",
    "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≡": r"\equiv ", "≈": r"\approx ",
    "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}",
    "°": "°", "º": "°", "˚": "°", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ",
    "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ", "′": "'", "’": "'", "∖": r"\setminus ",
    "…": r"\ldots ", "\u200b": "", "\u200c": "", "\u200d": "", "\u2060": "", "\ufeff": "", "¢": " cents",
    "€": "", "£": "", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "θ": r"\theta ",
    "λ": r"\lambda ", "μ": r"\mu ", "φ": r"\phi ", "ϕ": r"\phi ", "ω": r"\omega ", "σ": r"\sigma ", "τ": r"\tau ",
}  # fmt: skip
_RAISED = {"⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9",
           "⁻": "-", "⁺": "+", "ⁿ": "n", "ˣ": "x"}  # fmt: skip
_LOWERED = {"₀": "0", "₁": "1", "₂": "2", "₃": "3", "₄": "4", "₅": "5", "₆": "6", "₇": "7", "₈": "8", "₉": "9"}

_RULES = [
    (re.compile(pattern, re.DOTALL), by)
    for pattern, by in (
        (
            r"\\left\s*\\\{\s*\\begin\{(array|aligned|matrix)\}(?:\{[lcr|]*\})?(.*?)\\end\{\1\}\s*\\right\s*\.",
            r"\\begin{cases}\2\\end{cases}",
        ),
        (r"\\text\s*\{\s*all real(?:s| numbers)\s*\}|\ball real(?:s| numbers)\b", r"\\mathbb{R}"),
        (r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])\s*\.?", " "),
        (r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|rm|bf|it|boldmath)(?![A-Za-z])", " "),
        (r"\\(?:hspace|vspace|label|tag)\*?\{[^{}]*\}", " "),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\\[dt]binom(?![A-Za-z])", r"\\binom"),
        (r"(?<=[0-9])(?:,\s*\\!\s*|\{,\}|\\,|\\;|\\ |~|\\thinspace\s?)(?=[0-9]{3}(?![0-9]))", ""),
        (r"(?<=[0-9])\{,\}(?=[0-9])", "."),
        (r"(?<!\\)\\!", ""),
        (r"(?<!\\)\\[,;:> ]|~|\\thinspace(?![A-Za-z])", " "),
        (r"(?<!\\)\\[(\[)\]]", " "),
        (r"\\?\$", ""),
        (r"\\%", "%"),
        (r"\^\s*(?:\{\s*\\(?:circ|degree)\s*\}|\\(?:circ|degree)(?![A-Za-z]))|\\degree(?![A-Za-z])", "°"),
        (r"\\\\\s*\[[0-9.]+\s*[a-z]{2}\]", r"\\\\"),
        (r"\^\s*(?:\{\s*\\prime\s*\}|\\prime(?![A-Za-z]))", "'"),
        (r"\.{3}", r"\\ldots "),
        (r"\\(?:lbrace)(?![A-Za-z])", r"\\{"),
        (r"\\(?:rbrace)(?![A-Za-z])", r"\\}"),
        (r"\b([aApP])\.\s?[mM]\b\.?", r"\1m"),
        (r"\*\*(?=\s*$)|^\s*\*\*|^\s*`+|`+\s*$", ""),
    )
]
_THOUSANDS = re.compile(r"(?<![0-9.,A-Za-z_])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9])|(?<![0-9.] )(?<![0-9.,A-Za-z_])[1-9][0-9]{0,2}(?: [0-9]{3})+(?! ?[0-9/])")  # noqa: E501 # fmt: skip
_WRAPPED = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|hbox)\s*\{([^{}]*)\}")
_LOOSE_SPACE = re.compile(r"(?<![0-9])\s+|\s+(?![0-9])")


def tidy(text: str) -> str:
    """The same mathematics in plain LaTeX: no wrappers, no spacing commands, no signs beyond ASCII that we know."""
    if not text.isascii():
        text = _ascii(text)
    for pattern, by in _RULES:
        text = pattern.sub(by, text)
    return text.strip().rstrip(".,;: \n")


def join_thousands(text: str) -> str:
    """Write 1,234 and 1 234 as 1234, outside brackets: (1,234) is a pair."""
    return _THOUSANDS.sub(lambda found: _joined(text, found), text)


def unwrapped(text: str) -> str:
    """The words of \\text{words} and its like."""
    return _WRAPPED.sub(r"\1", text)


def squeezed(text: str) -> str:
    """Without the spaces and braces that only part what stands together anyway."""
    text = unwrapped(text)
    text = re.sub(r"([_^])\{(\w)\}", r"\1\2", text)
    text = re.sub(r"\\frac\s*([0-9])\s*([0-9])(?![0-9])", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\sqrt\s*([0-9])(?![0-9])", r"\\sqrt{\1}", text)
    return _LOOSE_SPACE.sub("", text)


def _joined(text: str, found: re.Match[str]) -> str:
    before = text[: found.start()]
    opened = sum(before.count(sign) for sign in "([") + before.count(r"\{")
    closed = sum(before.count(sign) for sign in ")]") + before.count(r"\}")
    # A bare brace group only wraps, unless it is an argument: \frac{1}{5,525} is a number all the same.
    return found[0] if opened > closed else found[0].replace(",", "").replace(" ", "")


def _ascii(text: str) -> str:
    parts: list[str] = []
    for sign in text:
        if sign.isascii():
            parts.append(sign)
        elif sign in _SIGNS:
            parts.append(_SIGNS[sign])
        elif sign in _RAISED or sign in _LOWERED:
            mark, low = ("^", _RAISED[sign]) if sign in _RAISED else ("_", _LOWERED[sign])
            if parts and parts[-1].startswith(mark + "{"):
                parts[-1] = f"{parts[-1][:-1]}{low}}}"
            else:
                parts.append(f"{mark}{{{low}}}")
        else:
            plain = unicodedata.normalize("NFKC", sign)
            over, slash, under = plain.partition("\u2044")
            parts.append(f"\\frac{{{over}}}{{{under}}}" if slash and under else plain)
    return "".join(parts)
