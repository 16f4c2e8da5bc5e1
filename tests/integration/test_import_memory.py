"""However large the values are, an import needs little memory."""

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from tests import commands, databases, imports
from tests.imports import Import
from tests.servers import Servers

MB = 1_000_000
MOST_MB = 300
# A little above what a value is copied in at once, and above a power of two.
LARGE = 66 * MB
SAMPLES_S = 0.02


@pytest.fixture
def made(servers: Servers, tmp_path: Path) -> Iterator[Import]:
    with imports.prepared(servers, tmp_path) as prepared:
        yield prepared


def test_large_values_are_moved_in_little_memory(servers: Servers, made: Import) -> None:
    made.on_server(
        "CREATE TABLE texts (id int8 PRIMARY KEY, a text, b int4)",
        "CREATE TABLE blobs (id int8 PRIMARY KEY, a bytea)",
        "CREATE TABLE many (id int8 PRIMARY KEY, a text, b bytea)",
        "CREATE TABLE refused (id int8 PRIMARY KEY, a varchar(10))",
    )
    made.on_file(
        "CREATE TABLE texts (id INTEGER PRIMARY KEY, a, b)",
        "CREATE TABLE blobs (id INTEGER PRIMARY KEY, a)",
        "CREATE TABLE many (id INTEGER PRIMARY KEY, a, b)",
        "CREATE TABLE refused (id INTEGER PRIMARY KEY, a)",
    )
    with closing(sqlite3.connect(made.options.source)) as connection, connection:
        text = "水循环 " * (LARGE // 10)
        connection.execute("INSERT INTO texts VALUES (1, ?, 1)", (text,))
        connection.execute("INSERT INTO refused VALUES (1, ?), (2, 'short')", (text,))
        connection.execute("INSERT INTO blobs VALUES (1, randomblob(?))", (LARGE,))
        for at in range(400):
            half = "ab" * (MB // 4)
            connection.execute("INSERT INTO many VALUES (?, ?, randomblob(?))", (at, half, MB // 2))
    process, peak = watched(servers, made)
    assert process.returncode == 3, process.stdout
    assert made.select("SELECT octet_length(a), b FROM texts") == [(LARGE, 1)]
    assert made.select("SELECT octet_length(a) FROM blobs") == [(LARGE,)]
    assert made.select("SELECT count(*), sum(length(a) + octet_length(b)) FROM many") == [
        (400, 400 * MB)
    ]
    assert made.refused("refused") == [
        ("1", "a", f"text of {LARGE // 10 * 4} characters where 10 are allowed")
    ]
    print("PEAK", peak)
    assert peak < MOST_MB * MB


def watched(servers: Servers, made: Import) -> tuple["subprocess.CompletedProcess[str]", int]:
    """The command, and the most memory that its processes had together."""
    ((name,),) = made.select("SELECT current_database()")
    environ = commands.environment_of(databases.settings_of(servers, str(name)))
    arguments = ("import-sqlite", str(made.options.source), "--no-init", "--jobs", "2")
    process = commands.start(*arguments, environ=environ)
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(SAMPLES_S)
    said, _ = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, said), peak


def memory(pid: int) -> int:
    """Of a process and all below it; what they share counts once."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for one in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += one.memory_full_info().pss
    return total
