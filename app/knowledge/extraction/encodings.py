"""Text of bytes whose encoding nobody told."""

import codecs
import re

import charset_normalizer

from app.knowledge.errors import FileUnsupported

# In this order, because the mark of UTF-32 begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What decides is the beginning of what is beyond ASCII.
SAMPLE = 65_536
BEFORE = 1_000
BYTE_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
# Of the sequences beyond ASCII, so many may be broken in text that is UTF-8 all the same.
BROKEN_SHARE = 0.02

# The most frequent characters of each language. Bytes that are read in a wrong encoding give
# characters that nobody uses. The marks of punctuation are those of every East Asian language.
PUNCTUATION = "，。、；：？！（）「」『』《》“”—…　・"
CHINESE = (
    "的一是不了在人有我他这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过"
    "天去能对小多然于心学么之都好看起发当没成只如事把还用第样道想作种开美总从无情己面最女但现前些所"
    "同日手又行意动方期它头经长儿回位分爱老因很给名法间斯知世什两次使身者被高已亲其进此话常与活正感"
    "文本表关系水机点力化等分教师课程图思维导内容题目电网信息数据工程计算方法公司请测试年月第章节"
)
TRADITIONAL = (
    "的一是不了在人有我他這個上們來到時大地為子中你說生國年著就那和要她出也得裡後自以會家可下而過"
    "天去能對小多然於心學麼之都好看起發當沒成只如事把還用第樣道想作種開美總從無情己面最女但現前些所"
    "同日手又行意動方期它頭經長兒回位分愛老因很給名法間斯知世什兩次使身者被高已親其進此話常與活正感"
    "文本表關係水機點力化等教師課程圖維導內容題目電網資訊數據計算灣臺"
)
JAPANESE = (
    "".join(map(chr, range(0x3041, 0x3094))) + "".join(map(chr, range(0x30A1, 0x30F7))) + "ー"
)
KOREAN = (
    "이다는을의가에고하지은를도로사그아자한기대시서나리어인있스라만들해일정보수부전여것니과제장주"
    "습요면와으공게생원성구상적안동조신용무화오마비경내문우모교간당말세"
)
# Ties go to the first.
LEGACY = (
    ("gb18030", frozenset(CHINESE + PUNCTUATION)),
    ("big5hkscs", frozenset(TRADITIONAL + PUNCTUATION)),
    ("cp932", frozenset(JAPANESE + PUNCTUATION)),
    ("euc_jp", frozenset(JAPANESE + PUNCTUATION)),
    ("euc_kr", frozenset(KOREAN + PUNCTUATION)),
)
# Below it, an encoding is no better than chance.
LIKELY = 0.15
BEYOND_ASCII = re.compile(r"[^\0-\x7f]")
# A letter of Western Europe in a word, or a sign that is usual there.
WESTERN = re.compile(r"(?<=[A-Za-z])[À-ÖØ-öø-ÿœŒ]|[À-ÖØ-öø-ÿ](?=[A-Za-z])|[«»‘’“”–—…£€©°§·ßÆØÅ]")


def decode(data: bytes, declared: str | None = None) -> str:
    """
    Args:
        declared: the encoding that the text says of itself, which UTF-8 overrules.

    Raises:
        FileUnsupported: this is no text.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(_encoding(data, declared), errors="replace")


def is_marked(data: bytes) -> bool:
    """Whether a byte order mark says the encoding."""
    return any(data.startswith(mark) for mark, _ in MARKS)


def _encoding(data: bytes, declared: str | None) -> str:
    if declared is not None and _knows(declared, data):
        return declared
    # A little before the first byte beyond ASCII, where no encoding has begun a character.
    first = BYTE_BEYOND_ASCII.search(data)
    start = max(0, first.start() - BEFORE) if first else 0
    sample = data[start : start + SAMPLE]
    if _nearly_utf8(sample):
        return "utf-8"
    scores = {name: _score(sample, name, usual) for name, usual in LEGACY}
    scores["cp1252"] = _western_score(sample)
    best = max(scores, key=lambda name: scores[name])
    if scores[best] >= LIKELY:
        return best
    guess = charset_normalizer.from_bytes(sample).best()
    if guess is None:
        raise FileUnsupported("This is no text in any known encoding; save it as UTF-8.")
    return guess.encoding


def _knows(declared: str, data: bytes) -> bool:
    try:
        # What is no encoding of text, as base64 or rot13, is refused by decode().
        text = data[:SAMPLE].decode(declared, errors="replace")
    except (LookupError, ValueError):
        return False
    return text.count("\ufffd") <= BROKEN_SHARE * len(text)


def _nearly_utf8(sample: bytes) -> bool:
    text = sample.decode(errors="replace")
    beyond = len(BEYOND_ASCII.findall(text))
    return text.count("\ufffd") <= max(1, BROKEN_SHARE * beyond) and beyond > 10


def _score(sample: bytes, encoding: str, usual: frozenset[str]) -> float:
    """The share of usual characters among those beyond ASCII; 0 if the bytes don't fit."""
    text = _fitting(sample, encoding)
    if text is None:
        return 0
    beyond = BEYOND_ASCII.findall(text)
    return sum(one in usual for one in beyond) / len(beyond) if beyond else 0


def _western_score(sample: bytes) -> float:
    text = _fitting(sample, "cp1252")
    if text is None:
        return 0
    beyond = BEYOND_ASCII.findall(text)
    return len(WESTERN.findall(text)) / len(beyond) if beyond else 0


def _fitting(sample: bytes, encoding: str) -> str | None:
    # The sample may end inside of a character.
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(sample, final=False)
    except UnicodeDecodeError:
        return None
