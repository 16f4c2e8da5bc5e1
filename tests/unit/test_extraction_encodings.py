from pathlib import Path

import pytest

from app.knowledge.errors import FileUnsupported
from app.knowledge.extraction import encodings, kinds, media_types

CHINESE = "这是一份关于学校课程的报告。我们在上半年完成了三个项目，其中有两个是和其他学校一起做的。"
TRADITIONAL = (
    "這是一份關於學校課程的報告。我們在上半年完成了三個項目，其中有兩個是和其他學校一起做的。"
)
JAPANESE = "これは学校の授業についての報告です。前半には三つのプロジェクトが完了しました。"
KOREAN = "이것은 학교 수업에 대한 보고서입니다. 상반기에 세 가지 프로젝트를 완료했습니다."
GERMAN = "Die Prüfung für alle Schüler heißt „Übung“ und ist größer."
FRENCH = "L'élève a été reçu à l'école où il était déjà passé."
RUSSIAN = "Это отчёт о школьных занятиях, которые мы провели в первом полугодии вместе с другими."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-32"),
        ("你好", "gbk"),
        ("中文", "gbk"),
        ("第一章", "gbk"),
        ("会议记录 2024", "gbk"),
        ("a,b,c\n1,2,共", "gbk"),
        ("price list 价格表\n", "gbk"),
        (TRADITIONAL, "big5"),
        ("這是我們的", "big5"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        ("これはテストです", "shift_jis"),
        (KOREAN, "euc_kr"),
        (GERMAN, "cp1252"),
        (FRENCH, "latin-1"),
        ("Café", "latin-1"),
        ("naïve", "latin-1"),
        (RUSSIAN, "cp1251"),
        ("a long text " * 10_000 + CHINESE, "gbk"),
        ("𠀀 and 😀", "utf-8"),
        ("plain", "ascii"),
    ],
)
def test_text_is_read_in_the_encoding_that_it_has(text: str, encoding: str) -> None:
    assert encodings.decode(text.encode(encoding)) == text


def test_utf8_that_is_broken_in_a_few_places_stays_utf8() -> None:
    data = CHINESE.encode() + b"\xff" + CHINESE.encode() + CHINESE.encode()[:-1]
    text = encodings.decode(data)
    assert text.startswith(CHINESE + "\ufffd" + CHINESE)


@pytest.mark.parametrize(
    ("declared", "taken"), [("big5", "big5"), ("nothing", "gbk"), ("rot13", "gbk")]
)
def test_the_declared_encoding_is_taken_if_it_is_one(declared: str, taken: str) -> None:
    data = "中文".encode("gbk")
    assert encodings.decode(data, declared) == data.decode(taken)


def test_utf8_overrules_the_declared_encoding() -> None:
    assert encodings.decode(CHINESE.encode(), "gbk") == CHINESE


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.md", b"text", media_types.MARKDOWN),
        ("A.MD", b"<h1>text", media_types.MARKDOWN),
        ("a.txt", b"# text", media_types.PLAIN),
        ("a", b"text", media_types.PLAIN),
        ("a.pdf", b"text", media_types.PLAIN),
        ("a.txt", b"\xef\xbb\xbf <!DOCTYPE html><p>", media_types.HTML),
        ("a.txt", b"<!-- made by hand -->\n<html>", media_types.HTML),
        ("a.txt", b"<?xml version='1.0'?><book/>", media_types.HTML),
        ("a.txt", "<html>".encode("utf-16"), media_types.HTML),
        ("a.txt", b"a < b and <html> in the middle", media_types.PLAIN),
        ("a.html", b"text", media_types.HTML),
        ("a.txt", b"%PDF-1.4\n%%EOF", media_types.PDF),
        ("a.txt", b"A PDF begins with %PDF-1.4, as you know.", media_types.PLAIN),
        ("a.log", b"\x1b[1mbold\x1b[0m and b\bbold", media_types.PLAIN),
    ],
)
def test_a_file_is_what_is_in_it(name: str, content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(content)
    assert kinds.detect(path, name, 10) == expected


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(FileUnsupported):
        kinds.detect(path, "a.txt", 10)
