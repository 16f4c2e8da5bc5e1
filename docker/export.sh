#!/usr/bin/env bash
# Usage: bash docker/export.sh FILE
# Writes the database of this checkout's running stack to a new SQLite file, which belongs to whoever
# calls this. A container of the app's image does it, which sees no more of this machine than the
# file's folder.
set -euo pipefail

if [ -z "${1:-}" ]; then
    echo "Name the file that is to be made: make export-sqlite TO=FILE" >&2
    exit 2
fi
# Docker would make a missing folder, as root.
if ! folder=$(realpath --canonicalize-existing -- "$(dirname -- "$1")" 2>/dev/null); then
    echo "There is no folder $(dirname -- "$1"); make it, then try again" >&2
    exit 1
fi
name=$(basename -- "$1")
cd "$(dirname "$0")/.."
exec docker compose run --rm --no-deps --no-TTY --quiet-pull --user "$(id -u):$(id -g)" \
    --volume "$folder:/export" --workdir /export app mindgraph export-sqlite "./$name"
