"""The text of a manual page written with the `man` macros, without troff's commands.

Programs that render pages break lines at a width, and with that words and Chinese sentences; here a
paragraph is one line.
"""

from __future__ import annotations

import re

SIGNS = {"aq": "'", "bu": "*", "bv": "|", "co": "©", "em": "—", "en": "–", "lq": "“", "rq": "”"}
SIGNS |= {"hy": "-", "+-": "±", "dq": '"', "**": "*", "de": "°", ">=": "≥", "<=": "≤", "ga": "`"}
HEADINGS = {"SH", "SS"}
# Lines after which a new paragraph starts.
BREAKS = {"PP", "P", "LP", "TP", "TQ", "IP", "HP", "sp", "br", "RS", "RE", "nf", "fi", "EX", "EE"}
FONTS = {"B", "I", "R", "SM", "SB", "BR", "BI", "IR", "IB", "RB", "RI"}
# Fonts that change with every argument join their arguments.
JOINED = {"BR", "BI", "IR", "IB", "RB", "RI"}
ARGUMENTS = re.compile(r'"((?:[^"]|"")*)"|((?:\\.|[^\s"\\])\S*)')
CHINESE = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"
ESCAPE = re.compile(
    r"""\\(?:["\#].*|\((?P<short>..)|\[(?P<long>[^]]*)\]|[fFmMn*](?:\[[^]]*\]|\(..|.)
    |s[-+]?\d+|[hvwlL]'[^']*'|(?P<letter>.)|$)""",
    re.VERBOSE,
)
BETWEEN_CHINESE = re.compile(f"(?<=[{CHINESE}]) +(?=[{CHINESE}])")


class Unsupported(Exception):
    """The page is of other macros, has tables, or is only a reference to another page."""


def plain(source: str) -> str:
    """Raises Unsupported."""
    if re.search(r"^\.(Dd|TS|so)\b", source, re.MULTILINE):
        raise Unsupported
    paragraphs: list[str] = []
    lines: list[str] = []
    verbatim = False

    def end_paragraph() -> None:
        joined = ("\n" if verbatim else " ").join(lines)
        lines.clear()
        if joined.strip():
            paragraphs.append(joined if verbatim else BETWEEN_CHINESE.sub("", joined).strip())

    for macro, rest in commands(source):
        if macro in FONTS or not macro:
            lines.append(worded(macro, rest).rstrip())
        elif macro == "TH" or macro in HEADINGS or macro in BREAKS:
            end_paragraph()
            verbatim = (verbatim or macro in {"nf", "EX"}) and macro not in {"fi", "EE", *HEADINGS}
            title = " ".join(arguments(rest)[:2]) if macro in HEADINGS | {"TH"} else ""
            label = arguments(rest)[:1] if macro == "IP" else []
            paragraphs.extend([title] if title else [])
            lines.extend(label)
    end_paragraph()
    return "\n\n".join(paragraphs) + "\n"


def commands(source: str) -> list[tuple[str, str]]:
    """Macro and what follows it; the macro of a line of text is empty."""
    found: list[tuple[str, str]] = []
    depth = 0
    defining = False
    for line in source.splitlines():
        match = re.match(r"[.'][ \t]*([A-Za-z]*)[ \t]*(.*)", line)
        if defining:
            defining = not re.match(r"[.'][ \t]*\.", line)
        elif depth or (match and match[1] in {"if", "ie", "el", "ig"}):
            depth += line.count("\\{") - line.count("\\}")
        elif match is None:
            found.append(("", line) if line.strip() else ("sp", ""))
        else:
            defining = match[1] in {"de", "am"}
            found.append((match[1] or "comment", match[2]))
    return found


def worded(macro: str, rest: str) -> str:
    if not macro:
        return unescaped(rest)
    return ("" if macro in JOINED else " ").join(arguments(rest))


def arguments(rest: str) -> list[str]:
    return [
        unescaped(match[1].replace('""', '"') if match[1] is not None else match[2])
        for match in ARGUMENTS.finditer(rest)
    ]


def unescaped(text: str) -> str:
    """Without the commands inside of a line."""
    return ESCAPE.sub(meant, text)


def meant(escape: re.Match[str]) -> str:
    sign, letter = escape["short"] or escape["long"], escape["letter"]
    if sign:
        return SIGNS.get(sign, "")
    if not letter or letter in "&|^/,:%)cdpuz":
        return ""
    if letter in " ~0":
        return " "
    if letter in "e\\":
        return "\\"
    # Else a sign, or a command that the author forgot to quote.
    return letter if letter in "-.'`" else escape[0]
