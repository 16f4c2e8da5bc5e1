"""The `.env` format as Docker Compose reads it: `parse`, `quote`, and `scan` with positions.

Python 3.8's standard library only, because it runs before there is a virtual environment.
"""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import Mapping
from typing import NamedTuple

# What Go calls white space; Python's strip() would also take \x1c to \x1f.
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[^=]*)=")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
ESCAPE = re.compile(r"\\(?:0\d{0,3}|[abcfnrtv$\"\\])", re.ASCII)
LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
VARIABLE = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{(?:([A-Za-z_]\w*)(}|:?[-+?]))?)", re.ASCII)
BARE = re.compile(r"[A-Za-z0-9_@%+=:,./^~-]+\Z")
GENERATED = re.compile(r"generated:\s*(\S*)")


class Problem(NamedTuple):
    line: int
    text: str


class Entry(NamedTuple):
    """One NAME=value; `start` and `end` bound the value as written, quotes included."""

    name: str
    value: str
    line: int
    start: int
    end: int
    generator: str


class Malformed(ValueError):
    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"line {line}: {text}" for line, text in problems))
        self.problems = sorted(problems)


def parse(text: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Names and values as Compose reads them; $NAME is looked up in `environ`, then above it.

    Raises Malformed with every bad line.
    """
    entries, problems = scan(text, os.environ if environ is None else environ)
    if problems:
        raise Malformed(problems)
    return {entry.name: entry.value for entry in entries}


def quote(value: str) -> str:
    """The form of `value` that Compose reads back unchanged.

    Raises ValueError for a control character that no form can carry.
    """
    bad = re.search(r"[^\x20-\x7e\n\r\t\x80-\U0010ffff]|[\ud800-\udfff]", value)
    if bad:
        raise ValueError(f"a .env file cannot carry the character {bad[0]!r}")
    if BARE.match(value):
        return value
    # Single quotes take everything literally, but a backslash before a quote escapes it.
    if not re.search(r"['\n\r\t]|\\\Z", value):
        return f"'{value}'"
    plain = re.sub(r'[\\"$]', r"\\\g<0>", value)
    return '"' + plain.replace("\n", r"\n").replace("\r", r"\r").replace("\t", r"\t") + '"'


def scan(text: str, environ: Mapping[str, str]) -> tuple[list[Entry], list[Problem]]:
    """Every assignment and every bad line; after a bad line, reading goes on at the next."""
    entries: list[Entry] = []
    problems = bad_characters(text)
    if problems:
        return entries, problems
    known: dict[str, str] = {}
    lookup = ChainMap(dict(environ), known)
    position, comment = (1 if text.startswith("\ufeff") else 0), ""
    while position < len(text):
        number = text.count("\n", 0, position) + 1
        line = text[position:].split("\n", 1)[0]
        if not line.strip(SPACES) or line.lstrip(SPACES).startswith("#"):
            comment, position = line, position + len(line) + 1
            continue
        generator = GENERATED.search(comment)
        comment = ""
        try:
            name, start = name_and_start(line, position)
            value, end = value_and_end(text, start, lookup)
            if name in known and known[name] != value:
                raise ValueError(f"{name} stands here again with another value: delete one of them")
        except ValueError as error:
            problems.append(Problem(number, str(error)))
            position += len(line) + 1
            continue
        known[name] = value
        entries.append(Entry(name, value, number, start, end, generator[1] if generator else ""))
        newline = text.find("\n", end)
        position = len(text) if newline < 0 else newline + 1
    return entries, problems


def bad_characters(text: str) -> list[Problem]:
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        if re.search("[\ud800-\udfff]", line):
            problems.append(Problem(number, "holds bytes that are not UTF-8: save it as UTF-8"))
        elif "\0" in line:
            problems.append(Problem(number, "holds a NUL byte: save the file as plain UTF-8 text"))
        elif "\r" in line[:-1]:
            problems.append(Problem(number, "holds a carriage return inside: end lines with LF"))
    return problems


def name_and_start(line: str, position: int) -> tuple[str, int]:
    found = ASSIGNMENT.match(line)
    if not found:
        raise ValueError(
            "there is no `=`: write NAME=value, or start the line with # for a comment"
        )
    name, rest = found["name"], line[found.end() :]
    if name.strip(SPACES) != name or (rest[:1].isspace() and rest.strip(SPACES)):
        raise ValueError(
            f"there is a space around `=`: write {name.strip(SPACES)}=value without it"
        )
    if not NAME.match(name):
        raise ValueError(
            f"{name!r} is not a name: use letters, digits and _ only, not starting with a digit"
        )
    return name, position + found.end()


def value_and_end(text: str, start: int, known: Mapping[str, str]) -> tuple[str, int]:
    """The value at `start` and where its written form ends."""
    line = text[start:].split("\n", 1)[0]
    if line[:1] not in ("'", '"'):
        raw = line.split(" #", 1)[0].rstrip(SPACES)
        return expand(raw, known), start + len(raw)
    found = QUOTED.match(text, start)
    if not found:
        raise ValueError(
            f"the quote {line[0]} is never closed: add the closing {line[0]}, "
            f"or write \\{line[0]} for one inside the value"
        )
    after = text[found.end() :].split("\n", 1)[0].strip(SPACES)
    if after and not after.startswith("#"):
        raise ValueError(
            f"there is text after the closing {line[0]}: put the whole value inside the quotes"
        )
    mark, inner = found[0][0], found[0][1:-1]
    inner = re.sub(r"\\(.)", lambda m: m[1] if m[1] == mark else m[0], inner, flags=re.DOTALL)
    if mark == "'":
        return inner, found.end()
    return expand(ESCAPE.sub(unescape, inner), known), found.end()


def unescape(found: re.Match[str]) -> str:
    code = found[0][1:]
    if code == "$":
        return "$$"
    if code.startswith("0"):
        octal = re.match(r"[0-3][0-7]{2}\Z", code[1:])
        return chr(int(octal[0], 8)) if octal else "\\" + code[1:]
    return LETTERS.get(code, "\\c" if code == "c" else code)


def expand(value: str, known: Mapping[str, str]) -> str:
    """`value` with $NAME, ${NAME}, ${NAME:-word} and their kin replaced, as Compose does it."""
    done, position = "", 0
    while True:
        found = VARIABLE.search(value, position)
        if not found:
            return done + value[position:]
        done += value[position : found.start()]
        position = found.end()
        if found[1]:
            done += "$"
        elif found[2] or found[4] == "}":
            done += plain_variable(found[2] or found[3], known)
        else:
            position = closing_brace(value, found)
            word = value[found.end() : position]
            done += conditional(found[3], found[4], word, known)
            position += 1


def plain_variable(name: str, known: Mapping[str, str]) -> str:
    if name not in known:
        raise ValueError(
            f"${name} would be replaced by nothing, because {name} is not set: "
            "put the value in single quotes, or write $$ for a dollar sign"
        )
    return known[name]


def closing_brace(value: str, opening: re.Match[str]) -> int:
    depth = 1
    for found in re.finditer(r"\$\{|\}", value[opening.end() :]) if opening[3] else ():
        depth += -1 if found[0] == "}" else 1
        if not depth:
            return opening.end() + found.start()
    raise ValueError(
        "${ starts a variable that is not complete: "
        "put the value in single quotes, or write $$ for a dollar sign"
    )


def conditional(name: str, operator: str, word: str, known: Mapping[str, str]) -> str:
    given = bool(known.get(name)) if operator.startswith(":") else name in known
    if operator.endswith("+"):
        return expand(word, known) if given else ""
    if given:
        return known[name]
    if operator.endswith("?"):
        raise ValueError(f"it needs {name}, which is not set ({word or 'no reason given'}): set it")
    return expand(word, known)
