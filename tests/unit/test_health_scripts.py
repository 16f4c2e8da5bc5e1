"""docker/health/: the probes against real servers and files, and when they are made."""

import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.places import CHECKOUT

HEALTH = CHECKOUT / "docker/health"
# What a container may lack is not there: a home, a user, a locale.
BARE = {"PATH": "/usr/bin:/bin"}


def run(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", *map(str, command)],
        env=BARE | environ,
        stdout=subprocess.PIPE,
        # As the engine keeps it: both together.
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )


# When a probe is made


class Container:
    """The check with a /tmp of its own, a clock that doesn't wait, and a probe that is told what
    to answer. What happens is written down."""

    def __init__(self, folder: Path, patience_s: int = 600) -> None:
        self.folder = folder
        self.mark = folder / "healthy"
        self.diary = folder / "diary"
        self.answers = folder / "answers"
        self.check = folder / "mindgraph-health"
        text = (HEALTH / "mindgraph-health").read_text()
        text, marks = re.subn(r"(?m)^passed=.*$", f"passed={self.mark}", text)
        text, waits = re.subn(r"(?m)^patience_s=.*$", f"patience_s={patience_s}", text)
        assert (marks, waits) == (1, 1)
        self.check.write_text(text)
        self.add("sleep", f'echo "sleep $1" >>{self.diary}')
        self.add(
            "probe",
            f"""echo "probe $*" >>{self.diary}
answer=$(head -n 1 {self.answers})
sed -i 1d {self.answers}
echo "it says $answer"
[ "$answer" = yes ]""",
        )

    def add(self, name: str, body: str) -> None:
        (self.folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (self.folder / name).chmod(0o755)

    def ask(self, *answers: str, probe: str = "probe") -> tuple[int, str, list[str]]:
        """One run of the check: its status, what it said, and what it did."""
        self.diary.write_text("")
        self.answers.write_text("".join(f"{answer}\n" for answer in answers))
        done = run(self.check, probe, "6333", "/readyz", PATH=f"{self.folder}:/usr/bin:/bin")
        return done.returncode, done.stdout, self.diary.read_text().splitlines()


PROBE = "probe 6333 /readyz"


def test_at_first_it_asks_until_the_first_success(tmp_path: Path) -> None:
    container = Container(tmp_path)
    status, said, done = container.ask("no", "no", "no", "yes")
    assert (status, said) == (0, "")
    assert done == [PROBE, "sleep 0.1"] * 3 + [PROBE]


def test_after_a_success_it_waits_long_and_asks_once(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.ask("yes")
    for _ in range(2):
        assert container.ask("yes")[::2] == (0, ["sleep 45", PROBE])


def test_a_failure_after_a_success_is_told_at_once_and_asked_about_soon(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.ask("yes")
    status, said, done = container.ask("the database is down", "yes")
    assert (status, said) == (1, "it says the database is down\n")
    assert done == ["sleep 45", PROBE]
    # Not as eagerly as at the start: what is asked may write a log.
    assert container.ask("no")[::2] == (1, ["sleep 3", PROBE])
    assert container.ask("yes")[::2] == (0, ["sleep 3", PROBE])
    assert container.ask("yes")[::2] == (0, ["sleep 45", PROBE])


def test_when_patience_is_at_an_end_it_fails_with_the_last_reason(tmp_path: Path) -> None:
    container = Container(tmp_path, patience_s=0)
    assert container.ask("no schema yet") == (1, "it says no schema yet\n", [PROBE])
    assert not container.mark.exists()


def test_a_failure_without_a_word_is_put_into_words(tmp_path: Path) -> None:
    container = Container(tmp_path, patience_s=0)
    status, said, _ = container.ask(probe="false")
    assert (status, said) == (1, "no answer within 5 s, or one without a reason\n")


def test_a_probe_that_hangs_is_ended(tmp_path: Path) -> None:
    container = Container(tmp_path, patience_s=0)
    text = container.check.read_text()
    container.check.write_text(text.replace("probe_s=5", "probe_s=0.2"))
    container.add("probe", f"exec sleep 600 >>{container.diary}")
    (container.folder / "sleep").unlink()
    status, said, _ = container.ask()
    assert status == 1
    assert said.startswith("no answer within ")


def test_the_arguments_of_a_probe_are_kept_whole(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.add("probe", f'printf "[%s]" "$@" >{container.diary}')
    done = run(container.check, "probe", "a b", "$c", "*", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 0
    assert container.diary.read_text() == "[a b][$c][*]"


# Over HTTP


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(f"{self.path} {self.headers['Host']} {self.headers['Connection']}")
        body = server.body.encode()
        self.send_response(server.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self, status: int, body: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.body = body
        self.asked: list[str] = []


@contextmanager
def serving(status: int, body: str) -> Iterator[Server]:
    with Server(status, body) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def probe_http(port: int, path: str = "/readyz", **environ: str) -> tuple[int, str]:
    done = run(HEALTH / "mindgraph-http-probe", str(port), path, **environ)
    return done.returncode, done.stdout


def test_a_server_that_answers_200_is_healthy() -> None:
    with serving(200, '{"ready": true}') as server:
        assert probe_http(server.server_port) == (0, "")
    assert server.asked == ["/readyz localhost close"]


def test_a_server_that_is_not_ready_is_quoted() -> None:
    body = '{"ready": false, "down": ["redis"], "why": "密码"}'
    with serving(503, body) as server:
        assert probe_http(server.server_port) == (1, body)


@pytest.mark.parametrize("status", [201, 204, 301, 401, 404, 500])
def test_anything_but_200_is_unhealthy(status: int) -> None:
    with serving(status, "") as server:
        assert probe_http(server.server_port)[0] == 1


def test_a_closed_port_is_unhealthy_and_says_so(closed_port: int) -> None:
    status, said = probe_http(closed_port)
    assert status == 1
    assert "Connection refused" in said


def test_a_proxy_of_the_environment_is_not_asked() -> None:
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
    with serving(200, "ok") as server:
        assert probe_http(server.server_port, **proxies) == (0, "")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"\r\n"])
def test_a_server_that_speaks_no_http_is_unhealthy(answer: bytes) -> None:
    def reply() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as request:
            while request.readline().strip():
                pass
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=reply)
        thread.start()
        port = listener.getsockname()[1]
        status, said = probe_http(port)
        thread.join()
    assert status == 1
    if not answer:
        assert said == f"port {port} closed the connection without an answer\n"


# A file that must be fresh


def probe_file(path: Path) -> tuple[int, str]:
    done = run(HEALTH / "mindgraph-fresh-file", path)
    return done.returncode, done.stdout


def test_a_file_that_was_just_touched_is_fresh(tmp_path: Path) -> None:
    file = tmp_path / "worker alive"
    file.touch()
    assert probe_file(file) == (0, "")


def test_a_file_that_nobody_touched_for_long_is_not(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    file.touch()
    long_ago = file.stat().st_mtime - 3600
    os.utime(file, (long_ago, long_ago))
    status, said = probe_file(file)
    assert status == 1
    assert re.fullmatch(rf"{file} was last touched 36\d\d seconds ago\n", said)


def test_a_file_that_was_never_made_is_named_in_one_sentence(tmp_path: Path) -> None:
    gone = tmp_path / "alive"
    said = f"{gone} was never made: its maker has not begun its work\n"
    assert probe_file(gone) == (1, said)
