"""What `mindgraph doctor` says of a machine: trees of files as the kernel shows them."""

import os
from pathlib import Path

import pytest
from host import programs
from host.checks import kernel, machine

MEMINFO = "MemTotal:       {total} kB\nMemFree:        1000 kB\nMemAvailable:   {free} kB\n"
GB = 1024**2


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(("count", "status"), [(1, "warning"), (2, "ok"), (64, "ok")])
def test_one_core_is_few(count: int, status: str) -> None:
    assert machine.cores(count).status == status


@pytest.mark.parametrize(
    ("total", "free", "status"),
    [(1 * GB, GB // 2, "failure"), (3 * GB, GB, "warning"), (8 * GB, 4 * GB, "ok")],
)
def test_little_memory_is_told(tmp_path: Path, total: int, free: int, status: str) -> None:
    root = tree(tmp_path, {"proc/meminfo": MEMINFO.format(total=total, free=free)})
    found = machine.memory(root)
    assert found.status == status
    assert f"{total / GB:.1f} GB" in found.seen
    assert (".wslconfig" in found.fix) == (status != "ok")


def test_a_memory_that_others_have_is_told(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/meminfo": MEMINFO.format(total=8 * GB, free=100 * 1024)})
    assert machine.memory(root).status == "warning"


def test_this_machine_can_be_looked_at() -> None:
    root = Path("/")
    for found in (machine.memory(root), kernel.overcommit(root), kernel.huge_pages(root)):
        assert found.seen


def test_a_disk_tells_what_is_free_and_is_a_problem_when_that_is_little(tmp_path: Path) -> None:
    found = machine.disk("disk", tmp_path, warn_gb=0, least_gb=0)
    assert found.status == "ok"
    assert f"GB free at {tmp_path}" in found.seen
    assert machine.disk("disk", tmp_path, warn_gb=1e9, least_gb=0).status == "warning"
    assert machine.disk("disk", tmp_path, least_gb=1e9).status == "failure"


def test_a_disk_counts_without_what_the_system_keeps_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = 1024**3
    told = os.statvfs_result((block, block, 1000, 900, 300, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    assert machine.disk("disk", tmp_path).seen == f"300.0 of 400.0 GB free at {tmp_path}"


def test_a_disk_of_another_machine_is_no_problem(tmp_path: Path) -> None:
    assert machine.disk("disk", tmp_path / "elsewhere").status == "ok"


@pytest.mark.parametrize(("said", "status"), [("yes\n", "ok"), ("no\n", "warning"), (None, "ok")])
def test_a_clock_that_nothing_sets_is_told(said: str | None, status: str) -> None:
    assert machine.clock(said).status == status


@pytest.mark.parametrize(("value", "status"), [("0", "warning"), ("1", "ok"), ("2", "warning")])
def test_memory_must_be_overcommitted_for_redis(tmp_path: Path, value: str, status: str) -> None:
    root = tree(tmp_path, {"proc/sys/vm/overcommit_memory": f"{value}\n"})
    assert kernel.overcommit(root).status == status


@pytest.mark.parametrize(
    ("text", "status"),
    [("always [madvise] never", "ok"), ("[always] madvise never", "warning"), (None, "ok")],
)
def test_huge_pages_that_are_always_used_are_told(
    tmp_path: Path, text: str | None, status: str
) -> None:
    name = "sys/kernel/mm/transparent_hugepage/enabled"
    root = tree(tmp_path, {name: text} if text else {})
    found = kernel.huge_pages(root)
    assert found.status == status
    assert (f"tee /{name}" in found.fix) == (status != "ok")


def test_what_a_program_says_is_read_and_a_missing_or_failing_one_says_nothing() -> None:
    assert programs.said("echo", "so") == "so\n"
    assert programs.said("false") is None
    assert programs.said("there-is-no-such-program") is None


def test_a_program_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PATIENCE_S", 0.1)
    assert programs.said("sleep", "600") is None
