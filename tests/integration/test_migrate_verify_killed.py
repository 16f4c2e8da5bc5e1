"""Processes that read the file end with the one that started them."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil

PATIENCE_S = 20
PROGRAM = """
import os, sys, time
from pathlib import Path
from app.ops.migrate import verify
with verify.pool(Path(sys.argv[1]), "UTF-8", 1) as started:
    print(started.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_no_process_outlives_a_killed_import(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a)")
    command = [sys.executable, "-c", PROGRAM, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        reader = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        gone, left = psutil.wait_procs([reader], timeout=PATIENCE_S)
    assert gone == [reader]
    assert left == []
