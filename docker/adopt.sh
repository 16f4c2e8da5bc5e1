#!/usr/bin/env bash
# Usage: bash docker/adopt.sh FOLDER [ARGUMENT ...]
# Takes documents and searches that an import has kept over into the knowledge space of this checkout's
# running stack; the arguments are those of `mindgraph knowledge adopt`. FOLDER has the old program's
# files, and is "" when they are lost. A container of the app's image does it, which may only read there.
set -euo pipefail

mounts=()
arguments=("${@:2}")
if [ -n "${1:-}" ]; then
    # Docker would make a missing folder, as root.
    if ! folder=$(realpath --canonicalize-existing -- "$1" 2>/dev/null) || [ ! -d "$folder" ]; then
        echo "There is no folder $1" >&2
        exit 2
    fi
    case $folder in
    *:*)
        echo "Docker can't mount $folder, which has a colon in its name; rename it" >&2
        exit 2
        ;;
    esac
    mounts+=(--volume "$folder:/old:ro")
    arguments+=(--files /old)
fi
cd "$(dirname "$0")/.."
exec docker compose run --rm --no-deps --no-TTY --quiet-pull "${mounts[@]}" app \
    mindgraph knowledge adopt "${arguments[@]}"
