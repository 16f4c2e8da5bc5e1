#!/usr/bin/env bash
# Renews both locks. Without addresses, so that every index and mirror works.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-annotate --no-header --no-emit-index-url --no-emit-find-links "$@"
}

compile --upgrade pyproject.toml --output-file requirements.lock
compile --upgrade --all-extras --constraints requirements.lock pyproject.toml \
    --output-file requirements-dev.lock
