"""The guides do what they say: each command of them is run here, word for word and in their order.

One server and one stack serve all of them: what one guide has made the next one finds.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.places import CHECKOUT

from . import guides
from .authorities import Authority
from .checkouts import copy_to
from .guides import Block, Reader
from .machines import Machine
from .stacks import Stack, env_format

GUIDES = ("operations", "systemd", "ubuntu", "wsl")
PASSWORD = "correct horse battery staple 7"
SITE = "diagrams.school.org"
# On the server: what lets the proxy reach the authority, and its certificate.
OVERLAY = "/etc/test/overlay.yaml"
ROOT = "/etc/test/root.crt"


def document(name: str) -> Path:
    return CHECKOUT / "docs" / f"{name}.md"


class Visitor(Reader):
    """Somebody at the server's terminal. `words` are what the guide has for something of one's own,
    with what it is here."""

    def __init__(self, name: str, server: Server, **words: str) -> None:
        super().__init__(document(name), server.checkout, {}, {})
        self.server = server
        self.words = {**server.words, **words}

    def run(self, text: str, stdin: str) -> subprocess.CompletedProcess[str]:
        import time
        t=time.time()
        done = self.server.run(self.here(text), stdin)
        print(f"#### {time.time()-t:.1f} s", text[:60])
        return done

    def here(self, text: str) -> str:
        for word, meant in self.words.items():
            text = text.replace(word, meant)
        return text

    def see(self, block: Block, stdin: str = "") -> str:
        """Does it, which must go well; what it said."""
        done = self.do(block, stdin)
        told = "" if done.returncode == 0 else self.server.machine.told()
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}\n{told}"
        return done.stdout + done.stderr

    def settle(self, heading: str, **more: str) -> None:
        """Writes into .env what the guide says under a heading, and what this machine needs."""
        [block] = self.settings(heading)
        self.server.settle(self.here(block.text), **more)


class Server:
    """An empty one with an engine, in the network of an authority that signs by ACME."""

    def __init__(self, folder: Path, authority: Authority, machine: Machine, stack: Stack) -> None:
        self.folder = folder
        self.checkout = stack.checkout
        self.authority = authority
        self.machine = machine
        self.stack = stack
        self.words = {
            "/opt/mindgraph": str(self.checkout),
            "ADDRESS ": f"{folder / 'origin'} ",
            "192.168.0.10": authority.address,
            "docker/postgres/remote.yaml": f"docker/postgres/remote.yaml:{OVERLAY}",
        }

    def run(self, text: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        environ = {
            "CI": "true",
            "COMPOSE_PROJECT_NAME": self.stack.project,
            "DEBIAN_FRONTEND": "noninteractive",
            "LC_ALL": "C.UTF-8",
        }
        place = self.checkout if self.checkout.exists() else self.folder
        return subprocess.run(
            [
                *("docker", "exec", "--interactive", f"--workdir={place}"),
                *(f"--env={name}={value}" for name, value in environ.items()),
                str(self.machine.container.id),
                *("bash", "-euo", "pipefail", "-c", text),
            ],
            capture_output=True,
            check=False,
            encoding="utf-8",
            input=stdin,
        )

    def settle(self, text: str, **more: str) -> None:
        file = self.checkout / ".env"
        written = file.read_text(encoding="utf-8")
        for name, value in {**env_format.parse(text, {}), **more}.items():
            line = f"{name}={env_format.quote(value)}"
            written, found = re.subn(rf"^{name}=.*$", lambda _: line, written, flags=re.MULTILINE)
            written += "" if found else f"{line}\n"
        file.write_text(written, encoding="utf-8")
        self.stack.read_settings()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    folder.chmod(0o755)
    checkout = folder / "mindgraph"
    make_origin(folder / "origin")
    with Authority(SITE) as authority:
        hosts = {SITE: authority.address, "db.school.org": authority.address}
        with (
            Machine(folder, str(authority.network.name), hosts) as machine,
            Stack(checkout / "compose.prod.yaml", checkout=checkout) as stack,
        ):
            stack.env_file = checkout / ".env"
            machine.boot()
            machine.install_engine()
            machine.write(OVERLAY, authority.overlay.read_text())
            machine.write(ROOT, authority.root)
            machine.shell(f"cat {ROOT} >>/etc/ssl/certs/ca-certificates.crt")
            yield Server(folder, authority, machine, stack)


def make_origin(folder: Path) -> None:
    folder.mkdir()
    copy_to(folder)
    commit(folder, "A release")


def commit(folder: Path, subject: str) -> None:
    git = ("git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org")
    for arguments in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", subject)):
        subprocess.run([*git, *arguments], check=True)


@pytest.fixture(scope="module")
def ubuntu(server: Server) -> Visitor:
    return Visitor("ubuntu", server)


@pytest.mark.parametrize("name", GUIDES)
def test_each_block_is_closed_and_each_mark_stands_before_commands(name: str) -> None:
    text = document(name).read_text(encoding="utf-8")
    found = guides.blocks(document(name))
    assert text.count("```") == 2 * len(found)
    marked = [block for block in found if block.reason]
    assert text.count("not tested here") == len(marked)
    assert all(block.is_command for block in marked)
    assert all(block.language for block in found)


def test_from_an_empty_server_to_tls(ubuntu: Visitor, server: Server) -> None:
    assert server.authority.address in ubuntu.follow("1. Where it shall be found")
    assert "engine: Docker Engine" in ubuntu.follow("2. The source and an engine")
    settings, backup_key = ubuntu.of("3. Settings")
    ubuntu.see(settings)
    mine = {
        "COMPOSE_FILE": f"compose.yaml:compose.prod.yaml:{OVERLAY}",
        "PUBLIC_BIND": server.authority.address,
        "TLS_ACME_CA": ROOT,
        "TLS_ACME_DIRECTORY": server.authority.settings["TLS_ACME_DIRECTORY"],
    }
    ubuntu.settle("3. Settings", **mine)
    assert server.stack.env["BACKUP_KEY"] in ubuntu.see(backup_key)
    start, look, administrator = ubuntu.of("4. Start")
    said = ubuntu.see(start)
    assert "all services are healthy" in said
    assert f"https://{SITE}\n" in said
    said = ubuntu.see(look)
    assert f"location: https://{SITE}/" in said.lower()
    assert '"status":"ok"' in said.replace(" ", "")
    ubuntu.see(administrator, f"{PASSWORD}\n")


def test_the_server_is_looked_after_by_systemd(server: Server) -> None:
    guide = Visitor("systemd", server)
    guide.follow("A server under systemd")
    said = guide.follow("How to look", 1)
    assert "Active: active (exited)" in said
    assert "mindgraph-backup.timer" in said
    assert "ok       certificate inside" in said
    print(said)
    guide.follow("Stop, start, change")
    timer = server.machine.unit("mindgraph-backup.timer")
    assert "23:30:00" in timer["TimersCalendar"]
    guide.follow("Logs")
    assert guide.left() == []


def test_the_server_is_run_from_day_to_day(server: Server) -> None:
    guide = Visitor("operations", server, **{"you@": "second@"})
    make, start, authority = guide.of("The first start")
    guide.see(make)
    guide.settle("The first start")
    guide.see(start, f"{PASSWORD}\n")
    guide.see(authority)
    for heading in ("Clients of other machines",):
        guide.settle(heading, POSTGRES_REMOTE_NETWORKS="172.16.0.0/12,192.168.0.0/16")
        guide.follow(heading)
    commit_change(server)
    said = guide.follow("A new release, and back")
    print(said)
    assert guide.left() == []


def commit_change(server: Server) -> None:
    origin = server.folder / "origin"
    with (origin / "app" / "__init__.py").open("a") as file:
        file.write("# Of a later release.\n")
    commit(origin, "A later release")


def test_the_firewall_and_the_database(ubuntu: Visitor, server: Server) -> None:
    said = ubuntu.follow("Firewall")
    assert "Status: active" in said
    assert "--ctorigdstport 443" in said.splitlines()[-1]
    assert "mindgraph_readonly" in ubuntu.follow("Roles of the database")
    shutil.copy(server.checkout / "secrets" / "authority" / "ca.crt", server.checkout)
    [block] = ubuntu.of("A client of another machine")
    ubuntu.words["psql "] = f"PGPASSWORD={server.stack.env['DATABASE_READONLY_PASSWORD']} psql "
    assert "count" in ubuntu.see(block)
    del ubuntu.words["psql "]
    assert "mindgraph_user" in ubuntu.follow("PgBouncer")


def test_a_postgresql_of_the_server_itself_takes_the_place_of_the_stack_s(
    ubuntu: Visitor, server: Server
) -> None:
    edge = server.stack.engine.networks.get(f"{server.stack.project}_edge")
    edge.connect(server.machine.container, aliases=["db.school.org"])
    ubuntu.words["172.16.0.0/12"] = edge.attrs["IPAM"]["Config"][0]["Subnet"]
    heading = "PostgreSQL without Docker"
    *made, start, backup = ubuntu.of(heading)
    for block in made:
        print(ubuntu.see(block))
    ubuntu.settle(heading)
    print(ubuntu.see(start))
    print(ubuntu.see(backup))
    assert ubuntu.left() == []
