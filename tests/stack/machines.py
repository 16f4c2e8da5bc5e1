"""Small servers for tests: Debian with systemd as PID 1 in a container, and the engine outside."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import ImageNotFound
from docker.models.containers import Container

from . import leftovers
from .base_images import packed
from .stacks import image_namespace

BUILD = Path(__file__).with_name("machine")
SOCKET = Path("/run/docker.sock")
# Long, because two cores may be shared with much else.
PATIENCE_S = 300.0


class Machine(leftovers.Reserved):
    """`checkout` is at the same path as outside, as the engine outside binds files from there."""

    def __init__(
        self,
        checkout: Path,
        network: str = "none",
        hosts: Mapping[str, str] | None = None,
        init: str = "/sbin/init",
    ) -> None:
        """
        Args:
            checkout: or any folder that the engine outside shall find in the same place.
            network: of the engine.
            hosts: names with the addresses that it knows them by.
            init: what is PID 1.
        """
        self.engine = docker.from_env()
        self.checkout = checkout
        self.folder = leftovers.reserve()
        self.container = self._make(network, hosts or {}, init.split())

    def _make(self, network: str, hosts: Mapping[str, str], init: list[str]) -> Container:
        options: Any = {
            "cap_add": ["NET_ADMIN", "SYS_ADMIN"],
            "cgroupns": "host",
            "labels": {"com.docker.compose.project": self.folder.name},
            "extra_hosts": dict(hosts),
            "network": network,
            "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
            "stop_signal": "SIGRTMIN+3",
            # What is published has addresses of the machine outside.
            "sysctls": {"net.ipv4.ip_nonlocal_bind": "1"},
            "tmpfs": {"/run": "", "/run/lock": ""},
            "volumes": [
                f"{self.checkout}:{self.checkout}",
                f"{SOCKET.resolve()}:/host/docker.sock",
                "/run/systemd/journal:/host/journal",
                f"{shutil.which('docker')}:/usr/bin/docker:ro",
                f"{compose_plugin()}:/usr/libexec/docker/cli-plugins/docker-compose:ro",
                "/sys/fs/cgroup:/sys/fs/cgroup:rw",
            ],
        }
        made: Container = self.engine.containers.create(image(self.engine), init, **options)
        unit = (BUILD / "docker.service").read_text(encoding="utf-8")
        made.put_archive("/", packed("/usr/lib/systemd/system/docker.service", unit))
        # A boot empties /tmp, and that is where checkouts of tests are.
        made.put_archive("/", packed("/etc/tmpfiles.d/tmp.conf", ""))
        return made

    def boot(self) -> None:
        """Returns when systemd has started all that it should."""
        self.container.start()
        self.wait(lambda: self.state() in {"running", "degraded"}, "systemd is up")

    def install_engine(self) -> None:
        """As a package would: a group, a unit, the engine running."""
        group = SOCKET.stat().st_gid
        self.shell(f"groupadd --gid {group} docker; systemctl enable --quiet --now docker")

    def cut_power(self) -> None:
        self.container.kill()
        self.container.wait()

    def state(self) -> str:
        return self.run("systemctl", "is-system-running").stdout.strip()

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As root, in the checkout; returns its end, whatever it is."""
        options = [f"--env={name}={value}" for name, value in environment.items()]
        # Not by the library, to which what the engine says of a failed start is no stream.
        return subprocess.run(
            [
                *("docker", "exec", "--env=LC_ALL=C.UTF-8", f"--workdir={self.checkout}"),
                *options,
                str(self.container.id),
                *command,
            ],
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
        )

    def shell(self, script: str) -> str:
        """Asserts that it went well; returns what it said on stdout."""
        done = self.run("bash", "-euc", script)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """A path that ends in `*` is made executable."""
        self.container.put_archive("/", packed(path, text))

    def unit(self, name: str) -> Mapping[str, str]:
        """What `systemctl show` says."""
        lines = self.shell(f"systemctl show {name}").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def journal(self, *match: str) -> list[dict[str, Any]]:
        said = self.shell(" ".join(["journalctl --quiet --output json", *match]))
        return [json.loads(line) for line in said.splitlines()]

    def wait(self, until: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self._holds(until):
            assert time.monotonic() < deadline, f"it never came true that {what}: {self.told()}"
            time.sleep(0.2)

    def _holds(self, condition: Callable[[], object]) -> bool:
        # Between an end and a start there is a moment in which no command can be run.
        with contextlib.suppress(AssertionError):
            return bool(condition())
        return False

    def told(self) -> str:
        """The end of the journal."""
        return self.run("journalctl", "--no-pager", "--lines", "60").stdout


def compose_plugin() -> str:
    shape = '{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}'
    asked = subprocess.run(
        ["docker", "info", "--format", shape], capture_output=True, check=True, encoding="utf-8"
    )
    return str(Path(asked.stdout.strip()).resolve())


def image(engine: docker.DockerClient) -> str:
    """Its name; it is built once for each content of its folder."""
    content = b"".join(file.read_bytes() for file in sorted(BUILD.iterdir()))
    name = f"{image_namespace()}-machine:{hashlib.sha256(content).hexdigest()[:12]}"
    try:
        engine.images.get(name)
    except ImageNotFound:
        build = str(BUILD / "build.sh")
        done = subprocess.run(
            ["bash", build, name], capture_output=True, check=False, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr
    assert stat.S_ISSOCK(SOCKET.stat().st_mode), "the engine's socket is elsewhere"
    return name
