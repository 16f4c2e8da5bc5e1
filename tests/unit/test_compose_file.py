"""compose.yaml as `docker compose` reads it, with a .env of docker/env.py."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from tests.places import CHECKOUT

SERVICES = ["app", "postgres", "qdrant", "redis", "worker"]
# Why a setting of the service doesn't come from .env inside of the stack.
NOT_HANDED_ON = {
    "DATABASE_DIRECT_HOST": "production has a pooler, development none",
    "DATABASE_DIRECT_PORT": "production has a pooler, development none",
    "DATABASE_OWNER": "only for who changes the schema, which is the app at its start",
    "DATABASE_OWNER_PASSWORD": "only for who changes the schema, which is the app at its start",
    "DATABASE_OWNER_URL": "another database than the stack's",
    "DATABASE_URL": "another database than the stack's",
    "QDRANT_PATH": "the engine in the process; the stack has a server",
    "REVISION": "baked into the image",
}


class Checkout:
    """A folder with compose.yaml in it, read without anything of this machine's environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(CHECKOUT / "compose.yaml", folder)
        self.environ = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}

    def make_env(self, **given: str) -> None:
        files = ["--example", str(CHECKOUT / ".env.example"), "--file", str(self.folder / ".env")]
        subprocess.run(
            [sys.executable, str(CHECKOUT / "docker/env.py"), *files],
            env=self.environ | given,
            capture_output=True,
            check=True,
        )

    def run(self, *options: str, **given: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", *options],
            cwd=self.folder,
            env=self.environ | given,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def config(self, **given: str) -> dict[str, Any]:
        done = self.run("config", "--format", "json", **given)
        assert done.returncode == 0, done.stderr
        read: dict[str, Any] = json.loads(done.stdout)
        return read


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The file with a fresh .env and nothing else."""
    made = Checkout(tmp_path_factory.mktemp("compose"))
    made.make_env()
    read = made.config()
    assert sorted(read["services"]) == SERVICES
    return read


def environment(config: dict[str, Any], service: str) -> dict[str, str]:
    values = config["services"][service]["environment"]
    return {name: value for name, value in values.items() if value is not None}


# Settings


def test_every_setting_reaches_the_service_and_its_worker(config: dict[str, Any]) -> None:
    wanted = {field.upper() for field in Settings.model_fields} - set(NOT_HANDED_ON)
    owners = {"DATABASE_OWNER", "DATABASE_OWNER_PASSWORD"}
    assert set(environment(config, "worker")) == wanted
    assert set(environment(config, "app")) == wanted | owners


def test_a_setting_changed_in_the_env_file_reaches_both(checkout: Checkout) -> None:
    checkout.make_env()
    fixed = {"APP_HOST", "APP_PORT", "DATA_DIR", "WORKER_METRICS_PORT"} | set(NOT_HANDED_ON)
    changed = {
        field.upper(): f"of-{field}"
        for field in Settings.model_fields
        if field.upper() not in fixed
    }
    with (checkout.folder / ".env").open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in changed.items())
    read = checkout.config()
    for service in ("app", "worker"):
        assert changed.items() <= environment(read, service).items()


def test_the_settings_of_the_stack_can_be_used(config: dict[str, Any]) -> None:
    for service in ("app", "worker"):
        values = {k.lower(): v for k, v in environment(config, service).items() if v}
        values |= {"captcha_enabled": "true", "environment": "production"}
        settings = Settings.model_validate(values)
        assert not settings.embedded
        assert settings.qdrant_url == "http://qdrant:6333"


def test_a_password_of_any_characters_reaches_every_service_that_needs_it(
    checkout: Checkout,
) -> None:
    password = "@:/?#[]%&'\"$ <>\\é-$HOME"
    checkout.make_env(DATABASE_PASSWORD=password, REDIS_PASSWORD=password)
    read = checkout.config()
    # In what Compose prints, a dollar is doubled so that it can be read again.
    shown = password.replace("$", "$$")
    for service in ("app", "postgres", "worker"):
        assert environment(read, service)["DATABASE_PASSWORD"] == shown
    for service in ("app", "redis", "worker"):
        assert environment(read, service)["REDIS_PASSWORD"] == shown


def test_no_service_gets_a_secret_that_it_does_not_need(config: dict[str, Any]) -> None:
    secret = re.compile(r"PASSWORD|API_KEY|TOKEN")
    held = {
        service: {name for name in environment(config, service) if secret.search(name)}
        for service in SERVICES
    }
    for_all = {"DATABASE_PASSWORD", "QDRANT_API_KEY", "REDIS_PASSWORD"}
    for_all |= {"EMBEDDER_API_KEY", "LLM_API_KEY", "METRICS_TOKEN"}
    assert held == {
        "app": for_all | {"DATABASE_OWNER_PASSWORD"},
        "postgres": {
            "DATABASE_BACKUP_PASSWORD",
            "DATABASE_OWNER_PASSWORD",
            "DATABASE_PASSWORD",
            "DATABASE_READONLY_PASSWORD",
            "POSTGRES_PASSWORD",
        },
        "qdrant": {"QDRANT__SERVICE__API_KEY"},
        "redis": {"REDIS_PASSWORD"},
        "worker": for_all,
    }


def test_the_key_of_qdrant_is_the_one_that_its_clients_send(config: dict[str, Any]) -> None:
    key = environment(config, "qdrant")["QDRANT__SERVICE__API_KEY"]
    assert key == environment(config, "app")["QDRANT_API_KEY"]


def test_no_secret_stands_in_a_command_a_label_or_a_build(config: dict[str, Any]) -> None:
    secrets = {
        value
        for service in SERVICES
        for name, value in environment(config, service).items()
        if value and re.search(r"PASSWORD|API_KEY|TOKEN", name)
    }
    assert len(secrets) == 8
    for service in config["services"].values():
        rest = json.dumps({key: of for key, of in service.items() if key != "environment"})
        assert not [secret for secret in secrets if secret in rest]


# What every service has


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(config: dict[str, Any], name: str) -> None:
    service = config["services"][name]
    assert service["init"] is True
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert 0 < service["pids_limit"] <= 512
    assert {"/tmp"} <= {mount.split(":")[0] for mount in service["tmpfs"]}
    assert not {"cap_add", "devices", "ipc", "network_mode", "pid", "privileged"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_comes_back_ends_in_order_and_rotates_its_log(
    config: dict[str, Any], name: str
) -> None:
    service = config["services"][name]
    assert service["restart"] == "unless-stopped"
    assert re.fullmatch(r"(\d+m)?\d+s", service["stop_grace_period"])
    assert service["logging"] == {
        "driver": "json-file",
        "options": {"max-file": "5", "max-size": "10m"},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_waits_by_the_same_health_check(config: dict[str, Any], name: str) -> None:
    check = dict(config["services"][name]["healthcheck"])
    command = check.pop("test")
    # No start_interval: Engine 20.10 doesn't know it.
    assert set(check) == {"interval", "retries", "start_period", "timeout"}
    assert command[:2] == ["CMD", "mindgraph-health"]
    scripts = {path.name for path in CHECKOUT.glob("docker/*/bin/*")}
    assert command[2] in scripts | {path.name for path in CHECKOUT.glob("docker/health/*")}


def test_a_probe_has_time_to_wait_before_the_engine_ends_it(config: dict[str, Any]) -> None:
    script = (CHECKOUT / "docker/health/mindgraph-health").read_text()
    seconds = {name: int(n) for name, n in re.findall(r"^(\w+)_s=(\d+)$", script, re.M)}
    longest = max(seconds["beat"], seconds["patience"]) + seconds["probe"]
    for service in config["services"].values():
        timeout = service["healthcheck"]["timeout"].replace("m0s", "*60").replace("s", "")
        minutes = re.fullmatch(r"(\d+)\*60", timeout)
        assert longest < (int(minutes[1]) * 60 if minutes else int(timeout))


def test_only_the_app_is_published_and_only_on_the_loopback(config: dict[str, Any]) -> None:
    for name in SERVICES:
        ports = config["services"][name].get("ports", [])
        assert [port["host_ip"] for port in ports] == (["127.0.0.1"] if name == "app" else [])
        assert "expose" not in config["services"][name]
    [port] = config["services"]["app"]["ports"]
    assert port["target"] == int(environment(config, "app")["APP_PORT"])


def test_the_published_address_is_the_one_of_the_env_file(checkout: Checkout) -> None:
    checkout.make_env(APP_PORT="8123")
    [port] = checkout.config(APP_BIND="192.0.2.1")["services"]["app"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("192.0.2.1", "8123", 8000)


def test_data_services_are_on_the_internal_network_alone(config: dict[str, Any]) -> None:
    assert config["networks"]["data"]["internal"] is True
    assert "internal" not in config["networks"]["edge"]
    networks = {name: sorted(of["networks"]) for name, of in config["services"].items()}
    assert networks.pop("app") == networks.pop("worker") == ["data", "edge"]
    assert set(map(tuple, networks.values())) == {("data",)}


def test_data_is_in_named_volumes_and_nowhere_on_the_machine(config: dict[str, Any]) -> None:
    mounts = {
        name: [(mount["type"], mount["source"], mount["target"]) for mount in of["volumes"]]
        for name, of in config["services"].items()
        if "volumes" in of
    }
    files = [("volume", "files", "/var/lib/mindgraph")]
    assert mounts == {
        "app": files,
        "worker": files,
        "postgres": [("volume", "postgres", "/var/lib/postgresql/data")],
        "qdrant": [("volume", "qdrant", "/qdrant/storage")],
        "redis": [("volume", "redis", "/data")],
    }


def test_the_service_starts_beside_what_it_stands_on_and_waits_for_it_by_itself(
    config: dict[str, Any],
) -> None:
    for name in ("app", "worker"):
        conditions = config["services"][name]["depends_on"]
        assert {on: of["condition"] for on, of in conditions.items()} == dict.fromkeys(
            ("postgres", "qdrant", "redis"), "service_started"
        )


def test_service_and_worker_are_one_image(config: dict[str, Any]) -> None:
    app, worker = (config["services"][name] for name in ("app", "worker"))
    assert app["image"] == worker["image"]
    assert app["build"] == worker["build"]


# Two checkouts


def test_two_checkouts_share_no_name(tmp_path: Path) -> None:
    names = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        made = Checkout(tmp_path / folder)
        made.make_env()
        read = made.config()
        assert not [of for of in read["services"].values() if "container_name" in of]
        names.append(
            {read["name"]}
            | {of["image"] for of in read["services"].values()}
            | {of["name"] for of in (*read["volumes"].values(), *read["networks"].values())}
        )
    assert not names[0] & names[1]
    assert [len(each) for each in names] == [11, 11]


def test_images_can_be_shared_by_a_name_of_their_own(checkout: Checkout) -> None:
    checkout.make_env()
    read = checkout.config(IMAGE_NAMESPACE="shared")
    images = {of["image"] for of in read["services"].values()}
    assert images == {f"shared-{kind}" for kind in ("app", "postgres", "qdrant", "redis")}


# Base images


def bases(config: dict[str, Any]) -> dict[str, str]:
    return {
        name: of["build"]["args"]["BASE_IMAGE"]
        for name, of in config["services"].items()
        if name != "worker"
    }


def test_base_images_are_pinned_to_a_version(config: dict[str, Any]) -> None:
    for reference in bases(config).values():
        name, _, tag = reference.partition(":")
        assert re.fullmatch(r"[a-z]+(/[a-z]+)?", name)
        assert re.search(r"\d", tag)


def test_the_prefix_of_a_mirror_is_put_before_every_base_image(
    checkout: Checkout, config: dict[str, Any]
) -> None:
    checkout.make_env()
    prefixed = bases(checkout.config(REGISTRY_PREFIX="mirror.example:5000/hub/"))
    assert prefixed == {
        name: f"mirror.example:5000/hub/{reference}" for name, reference in bases(config).items()
    }
    assert len(prefixed) == 4


def test_base_images_are_named_in_one_place() -> None:
    text = (CHECKOUT / "compose.yaml").read_text()
    block, rest = re.split(r"^(?=x-service:)", text.partition("x-images:")[2], flags=re.M)
    pinned = re.findall(r"&[\w-]+ \$\{REGISTRY_PREFIX:-\}(\S+)$", block, re.M)
    assert len(pinned) == 4
    assert "REGISTRY_PREFIX" not in rest
    for path in CHECKOUT.glob("docker/*/Dockerfile"):
        froms = re.findall(r"^FROM (\S+)", path.read_text(), re.M)
        assert set(froms) == {"${BASE_IMAGE}"}
    sources = [*CHECKOUT.glob("docker/*.sh"), *CHECKOUT.glob("docker/*.py")]
    for path in [*sources, CHECKOUT / "Makefile", CHECKOUT / "docker/app/dev.yaml"]:
        assert not [reference for reference in pinned if reference in path.read_text()]


# Without a usable .env


def test_a_missing_env_file_is_answered_with_the_command_that_makes_it(checkout: Checkout) -> None:
    done = checkout.run("config")
    assert done.returncode != 0
    assert re.search(
        r"variable [A-Z_]+ is missing a value: has no value; run `make env`", done.stderr
    )


def test_an_emptied_secret_is_named_with_the_command_that_fills_it(checkout: Checkout) -> None:
    checkout.make_env()
    env = (checkout.folder / ".env").read_text()
    names = re.findall(r"\$\{(\w+):\?", (CHECKOUT / "compose.yaml").read_text())
    assert len(set(names)) == 8
    for name in sorted(set(names)):
        (checkout.folder / ".env").write_text(re.sub(rf"(?m)^{name}=.*$", f"{name}=", env))
        done = checkout.run("config")
        assert done.returncode != 0
        assert f"{name} is missing a value: has no value; run `make env`" in done.stderr


def test_it_can_be_read_by_the_compose_of_an_old_engine() -> None:
    text = (CHECKOUT / "compose.yaml").read_text()
    for newer in ("start_interval", "additional_contexts", "develop:", "!reset", "!override"):
        assert newer not in text
