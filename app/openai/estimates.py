"""How many tokens a text has for a model whose tokenizer isn't known: rather too many than too few.

Tokenizers differ; these are the higher ones of what common models (cl100k, o200k, Qwen, BGE, XLM-R)
make: about 1 token for a Han character, 1.3 for an English word, 1 for a sign.
"""

import math
import re

# Characters of scripts without spaces; a word; anything else that isn't blank.
PIECES = re.compile(
    r"(?P<sign>[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]|[^\w\s])|"
    r"(?P<word>(?:(?![\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff])\w)+)"
)
WORD = 1.4
# Of a long word, of digits and of random letters.
ASCII_CHARACTERS = 3.5
OTHER_CHARACTERS = 1.5
# The marks at both ends of a text.
MARKS = 2


def tokens(text: str) -> int:
    total = float(MARKS)
    for piece in PIECES.finditer(text):
        word = piece["word"]
        total += _of_word(word) if word else 1
    return math.ceil(total)


def _of_word(word: str) -> float:
    share = ASCII_CHARACTERS if word.isascii() else OTHER_CHARACTERS
    return max(WORD, len(word) / share)
