"""Values of old rows, and files that old paths name."""

import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.ops.adoption import old_files, values
from app.ops.adoption.old_files import Unreadable
from app.ops.adoption.values import NotJson


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (b"\xe6\xb0\xb4\xff", "水�"),
        ("a\x00b", "ab"),
        ("\ud83d half", "? half"),
        (7, "7"),
    ],
)
def test_text_is_what_a_database_can_store(value: object, expected: str) -> None:
    assert values.text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), ("12", 12), (3.0, 3), ("x", None), (None, None), (2.5, None), ("9" * 30, None)],
)
def test_whole_numbers(value: object, expected: int | None) -> None:
    assert values.whole(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-12-08 05:33:55.914593", datetime(2025, 12, 8, 5, 33, 55, 914593, tzinfo=UTC)),
        ("2025-12-08T05:33:55+08:00", datetime(2025, 12, 7, 21, 33, 55, tzinfo=UTC)),
        (datetime(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)),  # noqa: DTZ001
        (1_733_635_200, datetime(2024, 12, 8, 5, 20, tzinfo=UTC)),
        ("yesterday", None),
        ("2025-02-30", None),
        (None, None),
        (5, None),
    ],
)
def test_moments(value: object, expected: datetime | None) -> None:
    assert values.moment(value) == expected


@pytest.mark.parametrize("value", ['["a", ', "{'a': 1}", "[" * 100_000, b"\xff"])
def test_what_is_no_json_is_told(value: object) -> None:
    with pytest.raises(NotJson):
        values.parsed(value)


def test_tags_that_fit_are_kept_and_the_others_counted() -> None:
    assert values.tags(["生物", " 生物 ", "", 7, "x" * 51, "b"]) == (["生物", "b"], 3)
    assert values.tags([f"t{at}" for at in range(25)]) == ([f"t{at}" for at in range(20)], 5)
    assert values.tags({"a": 1}) == ([], 1)
    assert values.tags(None) == ([], 0)


def test_details_that_fit_are_kept_and_the_others_named() -> None:
    own: dict[str, Any] = {"category": "试卷"}
    told = {"category": "another", "pages": 3, "list": [1], "nan": float("nan"), "k" * 51: 1}
    fitting, unfit = values.details(own, told, {"pages": 4, "none": None, "half": "\ud83d"})
    assert fitting == {"category": "试卷", "pages": 3, "half": "?"}
    assert unfit == ["list", "nan", "k" * 51]


def test_no_more_details_than_one_may_have() -> None:
    fitting, unfit = values.details({str(at): at for at in range(52)})
    assert (len(fitting), unfit) == (50, ["50", "51"])


@pytest.mark.parametrize(
    "written",
    [
        "storage/knowledge_documents/5/2_é.txt",
        "/app/storage/knowledge_documents/5/2_é.txt",
        "C:\\data\\storage\\knowledge_documents\\5\\2_é.txt",
        "storage/knowledge_documents/5/2_" + unicodedata.normalize("NFD", "é") + ".txt",
    ],
)
@pytest.mark.parametrize("where", ["storage/knowledge_documents/5", "knowledge_documents/5", "5"])
def test_a_file_is_found_by_the_longest_end_of_its_path(
    tmp_path: Path, written: str, where: str
) -> None:
    folder = tmp_path / where
    folder.mkdir(parents=True)
    (folder / "2_é.txt").write_text("x")
    assert old_files.find(tmp_path, written) == folder / "2_é.txt"


@pytest.mark.parametrize(
    "written",
    ["../secret/key.txt", "a/../../secret/key.txt", "linked/key.txt", "", "key.txt", "6/2_é.txt"],
)
def test_nothing_outside_of_the_folder_is_found(tmp_path: Path, written: str) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.txt").write_text("secret")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "linked").symlink_to(tmp_path / "secret")
    assert old_files.find(tmp_path / "old", written) is None


def test_an_empty_file_and_a_folder_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "2_a.txt").touch()
    (tmp_path / "5" / "3_b.txt").mkdir()
    assert old_files.find(tmp_path, "5/2_a.txt") is None
    assert old_files.find(tmp_path, "5/3_b.txt") is None


def test_a_link_in_a_circle_is_told(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "2_a.txt").symlink_to("2_a.txt")
    with pytest.raises(Unreadable):
        old_files.find(tmp_path, "5/2_a.txt")
