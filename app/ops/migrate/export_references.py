"""Makes comments of the foreign keys in a CREATE TABLE statement of SQLite.

The service checks every foreign key of its file, an old file's were never checked: a user whom rows
of a table refer to that an import kept could not be deleted, and no migration would pass where such
a row's parent is missing.
"""

import re

SPACE = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)"
QUOTED = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^]]*\]"""
NAME = rf"(?:{QUOTED}|\w+)"
NAMED = rf"(?:\bCONSTRAINT{SPACE}*{NAME}{SPACE}*)?"
# A name in quotes may hold a parenthesis.
COLUMNS = rf"\((?:{QUOTED}|[^)])*\)"
ACTION = rf"(?:SET{SPACE}+NULL|SET{SPACE}+DEFAULT|CASCADE|RESTRICT|NO{SPACE}+ACTION)"
OPTION = (
    rf"(?:ON{SPACE}+(?:DELETE|UPDATE){SPACE}+{ACTION}|MATCH{SPACE}+{NAME}"
    rf"|(?:NOT{SPACE}+)?DEFERRABLE(?:{SPACE}+INITIALLY{SPACE}+(?:DEFERRED|IMMEDIATE))?)"
)
REFERENCES = rf"\bREFERENCES{SPACE}*{NAME}(?:{SPACE}*{COLUMNS})?(?:{SPACE}*{OPTION})*"
# Of a table, with the comma before it, or of a column. Both words are reserved in SQLite.
FOREIGN_KEY = (
    rf"(?:,{SPACE}*)?{NAMED}\bFOREIGN{SPACE}+KEY{SPACE}*{COLUMNS}{SPACE}*{REFERENCES}"
    rf"|{NAMED}{REFERENCES}"
)
PARTS = re.compile(
    rf"(?P<other>{QUOTED}|--[^\n]*|/\*.*?(?:\*/|$))|(?P<key>{FOREIGN_KEY})",
    re.DOTALL | re.IGNORECASE,
)


def without(create: str) -> str:
    """The statement with its foreign keys as comments."""
    return PARTS.sub(_commented, create)


def _commented(part: re.Match[str]) -> str:
    if part["key"] is None:
        return part[0]
    inside = part["key"].replace("*/", "* /")
    return f"/* {inside} */"
