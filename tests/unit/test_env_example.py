""".env.example against what reads it: Settings, compose.yaml, the Makefile and its scripts."""

import re
import tomllib
from typing import NamedTuple

import pytest

from app.settings import Settings, SettingsError, load
from tests.places import CHECKOUT

EXAMPLE = (CHECKOUT / ".env.example").read_text()
SETTING = re.compile(r"^(?P<off>#?)(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.M)
SECTION = re.compile(r"^# --- (.+?) -+$", re.M)

# The stack runs these itself, where the service alone has none; production is stricter.
OF_THE_STACK = {"DATABASE_HOST", "QDRANT_URL", "REDIS_HOST"}
OF_PRODUCTION = {
    "BACKUP_REPORT",
    "DATABASE_SLOW_MS",
    "DATABASE_SSLMODE",
    "LOG_FORMAT",
    "TRUSTED_PROXIES",
}
REMOTE = "docker/postgres/remote.yaml"
# Compose itself reads it.
OF_COMPOSE = {"COMPOSE_FILE", "COMPOSE_PROFILES"}
# docker/up.sh finds these out anew for each build.
FOUND_OUT = {"CA_BUNDLE", "REVISION", "VERSION"}
# What the default depends on can't be shown in one line.
DEPENDS = {"IMAGE_NAMESPACE", "POSTGRES_VERSION"}


class Shown(NamedTuple):
    name: str
    value: str
    off: bool
    section: str
    comment: str


def shown() -> list[Shown]:
    """Every setting of the file, in its order."""
    found = []
    for setting in SETTING.finditer(EXAMPLE):
        before = EXAMPLE[: setting.start()]
        section = [title[1] for title in SECTION.finditer(before)][-1]
        comment = before.rpartition("\n\n")[2]
        off = bool(setting["off"])
        found.append(Shown(setting["name"], setting["value"], off, section, comment))
    return found


def substituted() -> dict[str, set[str]]:
    """The names that Compose takes from .env, and what stands for each where it is unset."""
    found: dict[str, set[str]] = {}
    for path in ("compose.yaml", "compose.prod.yaml", "docker/app/dev.yaml", REMOTE):
        text = (CHECKOUT / path).read_text()
        # A default may itself hold a name.
        for name, default in re.findall(r"\$\{(\w+)(?=(?::-((?:[^{}]|\{[^{}]*\})*))?)", text):
            found.setdefault(name, set()).add(default)
    return found


def read_by_make() -> set[str]:
    """What the Makefile takes out of .env by itself."""
    return set(re.findall(r"sed -n \"s/\^(\w+)=", (CHECKOUT / "Makefile").read_text()))


def read_for_secrets() -> set[str]:
    """What docker/secret_files.py takes out of .env besides secrets."""
    text = (CHECKOUT / "docker/secret_files.py").read_text()
    named = set(re.findall(r'"((?:BACKUP|TLS)_\w+)"', text))
    return set(re.findall(r"settings\.get\('(\w+)'", text)) | named


def read_by_host() -> set[str]:
    """What the host's half of the command `mindgraph` takes out of .env by itself."""
    texts = [path.read_text() for path in (CHECKOUT / "deploy/host").rglob("*.py")]
    return {name for text in texts for name in re.findall(r'settings\.get\("(\w+)"\)', text)}


def wanted() -> set[str]:
    fields = {field.upper() for field in Settings.model_fields}
    read = read_by_make() | read_for_secrets() | read_by_host() | OF_COMPOSE
    return fields | set(substituted()) | read


def test_every_setting_is_shown_once_and_nothing_else() -> None:
    names = [setting.name for setting in shown()]
    assert sorted(names) == sorted(wanted() - FOUND_OUT)


def test_what_is_not_shown_is_found_out_by_the_script_that_builds() -> None:
    script = (CHECKOUT / "docker/up.sh").read_text()
    [exported] = re.findall(r"^export (.+)$", script, re.M)
    assert set(exported.split()) == FOUND_OUT


def test_settings_are_in_alphabetical_order_inside_of_each_section() -> None:
    sections: dict[str, list[str]] = {}
    for setting in shown():
        sections.setdefault(setting.section, []).append(setting.name)
    assert len(sections) == 9
    for names in sections.values():
        assert names == sorted(names)


def test_every_setting_of_the_service_and_no_other_is_in_a_section_of_the_service() -> None:
    fields = {field.upper() for field in Settings.model_fields}
    for setting in shown():
        of_stack = "Compose and make only" in setting.section or "compose.prod" in setting.section
        assert (setting.name in fields) != of_stack


def test_the_mark_of_a_generated_value_stands_right_above_it() -> None:
    generated = re.findall(r"^# generated: (\S+)\n(\w+)=$", EXAMPLE, re.M)
    assert len(generated) == EXAMPLE.count("generated:") == 16
    kinds = {name: kind for kind, name in generated}
    assert kinds.pop("CPU_CORES") == "cores"
    memories = {name for name, kind in kinds.items() if kind.startswith("memory:")}
    assert memories == {f"{name}_MEMORY_MB" for name in ("APP", "POSTGRES", "QDRANT", "WORKER")}
    kinds = {name: kind for name, kind in kinds.items() if name not in memories}
    assert kinds.pop("APP_PORT") == "port"
    assert kinds.pop("COMPOSE_PROJECT_NAME") == "project"
    assert set(kinds.values()) == {"password"}


def test_every_secret_of_the_stack_is_generated() -> None:
    required = re.findall(r"\$\{(\w+):\?", (CHECKOUT / "compose.yaml").read_text())
    generated = set(re.findall(r"^# generated: password\n(\w+)=$", EXAMPLE, re.M))
    assert {*required, "BACKUP_KEY"} == generated


def test_only_what_everybody_must_have_is_switched_on() -> None:
    on = {setting.name for setting in shown() if not setting.off}
    generated = set(re.findall(r"^# generated: \S+\n(\w+)=$", EXAMPLE, re.M))
    assert on == generated | {"CAPTCHA_ENABLED", "COMPOSE_FILE", "ENVIRONMENT"}


def test_the_defaults_of_the_service_are_those_of_its_settings() -> None:
    defaults = Settings()
    generated = re.findall(r"^# generated: \w+\n(\w+)=$", EXAMPLE, re.M)
    compared = 0
    for setting in shown():
        field = setting.name.lower()
        if field not in Settings.model_fields or setting.name in generated:
            continue
        compared += 1
        if setting.name == "CAPTCHA_ENABLED":
            # The one that is switched on with another value than its default.
            assert (setting.value, defaults.captcha_enabled) == ("false", True)
            continue
        assert getattr(load({setting.name: setting.value}), field) == getattr(defaults, field)
        # An empty value says that there is no default, not that it isn't told.
        assert bool(setting.value) == (getattr(defaults, field) not in (None, ()))
    assert compared > 30


def test_the_defaults_of_the_stack_are_those_of_the_compose_file() -> None:
    defaults = substituted()
    elsewhere = DEPENDS | OF_COMPOSE | read_by_make() | read_for_secrets() | read_by_host()
    compared = set()
    for setting in shown():
        if setting.off and re.search("Compose and make only|compose.prod", setting.section):
            compared.add(setting.name)
            if setting.name not in elsewhere:
                assert defaults[setting.name] == {setting.value}
    assert {"APP_BIND", "POSTGRES_MAX_CONNECTIONS", "REDIS_MAXMEMORY"} <= compared


def test_the_compose_file_hands_a_default_of_the_service_on_only_where_it_is_the_same() -> None:
    for field, info in Settings.model_fields.items():
        if field.upper() in OF_THE_STACK | OF_PRODUCTION:
            continue
        defaults = substituted().get(field.upper(), {""}) - {""}
        for default in defaults:
            assert default == str(info.default)


def test_the_source_of_images_has_the_default_that_is_shown() -> None:
    [images] = [setting for setting in shown() if setting.name == "IMAGES"]
    assert f"${{IMAGES:-{images.value}}}" in (CHECKOUT / "docker/images.sh").read_text()


def test_the_version_of_an_image_built_without_make_is_the_project_s() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert substituted()["VERSION"] == {project["version"]}


def test_every_setting_but_the_plainest_says_what_it_is() -> None:
    silent = {s.name for s in shown() if not re.sub(r"# generated: \S+\n", "", s.comment)}
    for name in silent:
        # The parts of an address, timeouts with their unit and limits of the servers say it.
        assert re.search(
            r"_(HOST|PORT|NAME|USER|DB|PASSWORD|API_KEY|PATH|CONNECTIONS|BUFFERS|BIND|MEMORY_MB|TIMEOUT_M?S)$",
            name,
        ), name


@pytest.mark.parametrize("example", re.findall(r"^# '(\[.*\])'$", EXAMPLE, re.M))
def test_the_example_of_organizations_can_be_used(example: str) -> None:
    organizations = load({"SEED_ORGANIZATIONS": example}).seed_organizations
    assert organizations
    with pytest.raises(SettingsError):
        load({"SEED_ORGANIZATIONS": example.replace("code", "kode")})
