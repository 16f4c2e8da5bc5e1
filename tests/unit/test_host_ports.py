"""Who holds the ports of the stack, and who can reach them: real sockets and files."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from host.checks import firewall, ports
from host.checks.ports import Published

ROOT = Path("/")
HOLDING = """
import socket, sys
held = socket.socket({family})
held.bind(("{address}", 0))
held.listen()
print(held.getsockname()[1], flush=True)
sys.stdin.read()
"""


def of(service: str, address: str, port: int, setting: str = "APP_PORT") -> Published:
    return Published(service, address, port, setting)


@pytest.mark.parametrize(("family", "address"), [("2", "127.0.0.1"), ("10", "::")])
def test_a_port_that_another_program_holds_is_told_with_its_name(family: str, address: str) -> None:
    program = HOLDING.format(family=family, address=address)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        port = int(other.stdout.readline())
        (found,) = ports.examine(ROOT, [of("app", "127.0.0.1", port)], [])
        assert found.status == "failure"
        assert f"(pid {other.pid})" in found.seen
        assert "APP_PORT" in found.fix
        (found,) = ports.examine(ROOT, [of("app", "127.0.0.1", port)], ["app"])
        assert found.seen == f"127.0.0.1:{port} is held by app of this stack"
        other.communicate("")
    (found,) = ports.examine(ROOT, [of("app", "127.0.0.1", port)], [])
    assert found.seen == f"127.0.0.1:{port} is free for app"


def test_a_connection_to_elsewhere_is_no_listener() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert list(ports.listening(ROOT, server.getsockname()[1]))
        assert list(ports.listening(ROOT, client.getsockname()[1])) == []


def test_processes_of_others_whose_files_are_hidden_are_passed_over(tmp_path: Path) -> None:
    fd = tmp_path / "proc" / "7" / "fd"
    fd.mkdir(parents=True)
    (tmp_path / "proc" / "7" / "comm").write_text("nginx\n")
    (fd / "3").symlink_to("socket:[4711]")
    (tmp_path / "proc" / "8").mkdir()
    (tmp_path / "proc" / "self").mkdir()
    assert ports.holder(tmp_path, "4711") == "nginx (pid 7)"
    assert ports.holder(tmp_path, "42") == ""


def test_what_compose_publishes_is_read() -> None:
    config = json.loads(
        """{"services": {
        "app": {"ports": [{"target": 8000, "published": "8123", "host_ip": "127.0.0.1"}]},
        "proxy": {"ports": [{"target": 8443, "published": "443"}]},
        "redis": {}}}"""
    )
    assert ports.published(config) == [
        of("app", "127.0.0.1", 8123),
        of("proxy", "0.0.0.0", 443, "HTTPS_PORT"),
    ]


def ufw(root: Path, enabled: str) -> Path:
    (root / "etc/ufw").mkdir(parents=True)
    (root / "etc/ufw/ufw.conf").write_text(f"# Set to yes\nENABLED={enabled}\nLOGLEVEL=low\n")
    return root


def test_an_app_that_is_open_to_the_network_is_told_past_the_firewall(tmp_path: Path) -> None:
    found = firewall.examine(ufw(tmp_path, "yes"), [of("app", "0.0.0.0", 8000)])
    assert found.status == "warning"
    assert "0.0.0.0:8000 (app); ufw is on, and Docker passes by it" in found.seen
    assert "APP_BIND=127.0.0.1" in found.fix


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1", "[::1]", "localhost"])
def test_what_only_this_machine_reaches_is_no_problem(tmp_path: Path, address: str) -> None:
    found = firewall.examine(ufw(tmp_path, "no"), [of("app", address, 8000)])
    assert found.status == "ok"
    assert "only this machine" in found.seen
    assert "off" in found.seen


def test_the_proxy_is_meant_for_others(tmp_path: Path) -> None:
    wanted = [of("proxy", "0.0.0.0", 80), of("proxy", "203.0.113.9", 443)]
    found = firewall.examine(tmp_path, wanted)
    assert found.status == "ok"
    assert "open to the network: 80 (the proxy), 443 (the proxy); ufw is off" in found.seen


def test_a_database_that_was_opened_to_others_is_meant_for_them(tmp_path: Path) -> None:
    found = firewall.examine(tmp_path, [of("postgres", "203.0.113.9", 5432)])
    assert found.status == "ok"
    assert "5432 (the database, by TLS alone)" in found.seen
