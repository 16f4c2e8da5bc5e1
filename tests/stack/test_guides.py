"""The guides do what they say: each command of them is run here, word for word and in their order.

One server and one stack serve all of them: what one guide has made the next one finds.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from . import checkouts, guides, journals
from .authorities import Authority
from .journals import Journal
from .machines import Machine
from .stacks import Stack, env_format
from .terminals import Terminal, Visitor

GUIDES = ("operations", "systemd", "ubuntu", "wsl")
PASSWORD = "correct horse battery staple 7"
SITE = "diagrams.school.org"
# On the server: what lets the proxy reach the authority, and its certificate.
OVERLAY = "/etc/test/overlay.yaml"
ROOT = "/etc/test/root.crt"


class Server(NamedTuple):
    """An empty one with an engine, in the network of an authority that signs by ACME."""

    folder: Path
    authority: Authority
    machine: Machine
    stack: Stack
    journal: Journal

    def visitor(self, name: str, **words: str) -> Visitor:
        own = {
            "/opt/mindgraph": str(self.stack.checkout),
            "ADDRESS ": f"{self.folder / 'origin'} ",
            "192.168.0.10": self.authority.address,
            "docker/postgres/remote.yaml": f"docker/postgres/remote.yaml:{OVERLAY}",
        }
        terminal = Terminal(self.machine, str(self.stack.checkout), self.stack.project)
        return Visitor(guides.document(name), terminal, {**own, **words})

    def setting(self, name: str) -> str:
        text = (self.stack.checkout / ".env").read_text(encoding="utf-8")
        return str(env_format.parse(text, {})[name])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    folder.chmod(0o755)
    checkouts.repository(folder / "origin")
    checkout = folder / "mindgraph"
    with Authority(SITE) as authority:
        hosts = {SITE: authority.address, "db.school.org": authority.address}
        with (
            Machine(folder, str(authority.network.name), hosts) as machine,
            Stack(checkout / "compose.prod.yaml", checkout=checkout) as stack,
        ):
            machine.boot()
            machine.install_engine()
            machine.write(OVERLAY, authority.overlay.read_text())
            machine.write(ROOT, authority.root)
            machine.shell(f"cat {ROOT} >>/etc/ssl/certs/ca-certificates.crt")
            with journals.of_engine(machine) as journal:
                yield Server(folder, authority, machine, stack, journal)


@pytest.fixture(scope="module")
def ubuntu(server: Server) -> Visitor:
    return server.visitor("ubuntu")


@pytest.mark.parametrize("name", GUIDES)
def test_each_block_is_closed_and_each_mark_stands_before_commands(name: str) -> None:
    text = guides.document(name).read_text(encoding="utf-8")
    found = guides.blocks(guides.document(name))
    assert text.count("```") == 2 * len(found)
    marked = [block for block in found if block.reason]
    assert text.count("not tested here") == len(marked)
    assert all(block.is_command for block in marked)
    assert {block.language for block in found} <= {*guides.COMMANDS, "ini"}


def test_from_an_empty_server_to_tls(ubuntu: Visitor, server: Server) -> None:
    assert server.authority.address in ubuntu.follow("1. Where it shall be found")
    assert "engine: Docker Engine" in ubuntu.follow("2. The source and an engine")
    settings, backup_key = ubuntu.of("3. Settings")
    ubuntu.see(settings)
    mine = {
        "COMPOSE_FILE": f"compose.yaml:compose.prod.yaml:{OVERLAY}",
        "LOGGING_DRIVER": "journald",
        "PUBLIC_BIND": server.authority.address,
        "TLS_ACME_CA": ROOT,
        "TLS_ACME_DIRECTORY": server.authority.settings["TLS_ACME_DIRECTORY"],
    }
    ubuntu.settle("3. Settings", **mine)
    assert server.setting("BACKUP_KEY") in ubuntu.see(backup_key)
    start, look, administrator = ubuntu.of("4. Start")
    said = ubuntu.see(start)
    assert "all services are healthy" in said
    assert f"https://{SITE}\n" in said
    said = ubuntu.see(look)
    assert f"location: https://{SITE}/" in said.lower()
    assert '"status":"ok"' in said.replace(" ", "")
    ubuntu.see(administrator, f"{PASSWORD}\n")


def test_the_server_is_looked_after_by_systemd(server: Server) -> None:
    guide = server.visitor("systemd")
    guide.follow("A server under systemd")
    # There is no backup yet, which the doctor takes for a failure.
    said = guide.follow("How to look", 1)
    assert "Active: active (exited)" in said
    assert "mindgraph-backup.timer" in said
    assert re.search(r"^ok +machine +certificate ", said, re.MULTILINE)
    assert re.search(r"^failure +machine +backup +there is none", said, re.MULTILINE)
    guide.follow("Stop, start, change")
    assert "23:30:00" in server.machine.unit("mindgraph-backup.timer")["TimersCalendar"]
    guide.follow("Logs")
    assert guide.left() == []
    project = server.stack.project
    for service in ("app", "postgres", "proxy"):
        fields = ("COM_DOCKER_COMPOSE_PROJECT=" + project, "COM_DOCKER_COMPOSE_SERVICE=" + service)
        lines = server.journal.read(*fields)
        assert f"{project}-{service}-1" in {line["SYSLOG_IDENTIFIER"] for line in lines}


def test_the_server_is_run_from_day_to_day(server: Server) -> None:
    guide = server.visitor("operations", **{"you@": "second@"})
    made, start, authority = guide.of("The first start")
    guide.see(made)
    guide.settle("The first start")
    guide.see(start, f"{PASSWORD}\n")
    guide.see(authority)
    assert "BEGIN CERTIFICATE" in (server.stack.checkout / "mindgraph-authority.crt").read_text()
    # Docker's proxies come from the gateways of its networks.
    networks = "172.16.0.0/12,192.168.0.0/16"
    guide.settle("Clients of other machines", POSTGRES_REMOTE_NETWORKS=networks)
    guide.follow("Clients of other machines")
    said = guide.follow("Backups and restores")
    assert "restored to the last change in the archive" in said
    guide.follow("The database as one file")
    release(server.folder / "origin")
    said = guide.follow("A new release, and back")
    assert "Fast-forward" in said
    assert guide.left() == []


def release(origin: Path) -> None:
    with (origin / "app" / "__init__.py").open("a") as file:
        file.write("# Of a later release.\n")
    checkouts.commit(origin, "A later release")


def test_the_firewall_and_the_database(ubuntu: Visitor, server: Server) -> None:
    said = ubuntu.follow("Firewall")
    assert "Status: active" in said
    assert "--ctorigdstport 443" in said.splitlines()[-1]
    assert "mindgraph_readonly" in ubuntu.follow("Roles of the database")
    shutil.copy(server.stack.checkout / "secrets" / "authority" / "ca.crt", server.stack.checkout)
    [block] = ubuntu.of("A client of another machine")
    ubuntu.words["psql "] = f"PGPASSWORD={server.setting('DATABASE_READONLY_PASSWORD')} psql "
    assert "(1 row)" in ubuntu.see(block)
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
        ubuntu.see(block)
    ubuntu.settle(heading)
    assert "postgresql 15" in ubuntu.see(start)
    assert "TABLE DATA public diagrams mindgraph_owner" in ubuntu.see(backup)
    assert ubuntu.left() == []
