#!/usr/bin/env bash
# Makes .venv with the pinned packages and the `mindgraph` command. Does nothing when it is up to
# date with the lock.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.made-from
# The place belongs to it: a copied environment runs the code of the checkout that it came from.
wanted="$(cat requirements-dev.lock pyproject.toml | sha256sum) $PWD"
exec 9<requirements-dev.lock
if command -v flock >/dev/null && ! flock --nonblock 9; then
    echo "==> another run makes .venv; waiting for it"
    flock 9
fi
if [ -x .venv/bin/mindgraph ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer is needed; on Debian 12 or Ubuntu 24.04: apt-get install python3" >&2
    return 1
}

python=$(find_python)
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if ! command -v apt-get >/dev/null; then
        echo "$python can't make virtual environments; install its venv module and try again" >&2
        exit 1
    fi
    echo "==> installing python3-venv"
    as_root apt-get update -qq
    as_root apt-get install -y -qq --no-install-recommends python3-venv
fi

echo "==> making .venv (about a minute, once)"
# Half an environment, from a run that was killed, is not mended but made anew.
rm -rf .venv
"$python" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
echo "$wanted" >"$stamp"
