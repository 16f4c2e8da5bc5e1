#!/usr/bin/env bash
# Usage: bash docker/import.sh FILE [ARGUMENT ...]
# Moves a SQLite file into the database of this checkout's stack; the arguments are those of `mindgraph
# import-sqlite`, and FILE may be "" for --retry-quarantine. Only PostgreSQL is started. A container of
# the app's image does the work, as whoever calls this, and sees no more of this machine than the file's
# folder (the -wal and -shm lie beside the file) and the report's. Ends with the command's exit code.
set -euo pipefail

WRONG_USE=2

fail() {
    echo "$2" >&2
    exit "$1"
}

# A folder as Docker can mount it, which would make a missing one, as root.
folder_of() {
    local folder
    folder=$(realpath --canonicalize-existing -- "$(dirname -- "$1")" 2>/dev/null) ||
        fail "$WRONG_USE" "There is no folder $(dirname -- "$1")"
    case $folder in
    *:*) fail "$WRONG_USE" "Docker can't mount $folder, which has a colon in its name; move the file" ;;
    esac
    [ -w "$folder" ] ||
        fail "$WRONG_USE" "You can't write in $folder: the report goes there, and perhaps a snapshot"
    echo "$folder"
}

require_closed() {
    local id
    for id in $(docker compose ps --quiet --status running --status restarting app worker); do
        docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$id" |
            grep -qiE '^MAINTENANCE=(1|on|t|true|y|yes)$' ||
            fail "$WRONG_USE" "The service of this stack is open: put MAINTENANCE=true into .env, run \`make up\`, then this again"
    done
}

# Sets `source` and `arguments`, and adds to `mounts`.
read_arguments() {
    local report='' folder
    source=$1
    shift
    arguments=()
    while [ $# -gt 0 ]; do
        case $1 in
        --report) report=${2:?names no file} && shift ;;
        --report=*) report=${1#*=} ;;
        *) arguments+=("$1") ;;
        esac
        shift
    done
    if [ -n "$report" ]; then
        folder=$(folder_of "$report")
        mounts+=(--volume "$folder:/report")
        arguments+=(--report "/report/$(basename -- "$report")")
    elif [ -n "$source" ]; then
        arguments+=(--report "./$(basename -- "$source").import.json")
    fi
}

if [ $# = 0 ] || { [ -z "$1" ] && [[ " ${*:2} " != *" --retry-quarantine "* ]]; }; then
    fail "$WRONG_USE" "Name the SQLite file that is to be moved: make import-sqlite FROM=FILE"
fi
mounts=()
read_arguments "$@"
if [ -n "$source" ]; then
    [ -e "$source" ] || fail "$WRONG_USE" "There is no file $source"
    # SQLite has the journal beside the file itself, not beside a link to it.
    source=$(realpath -- "$source")
    folder=$(folder_of "$source")
    mounts+=(--volume "$folder:/import" --workdir /import)
    arguments=("./$(basename -- "$source")" "${arguments[@]}")
fi
if [ "$(id -u)" = 0 ]; then
    # For root to read what belongs to others, and for SQLite to give what it makes beside the file to
    # the file's owner, whose program must be able to open it again.
    mounts+=(--cap-add DAC_OVERRIDE --cap-add CHOWN)
fi

cd "$(dirname "$0")/.."
# Rows go back from quarantine while people work.
[[ " ${arguments[*]} " == *" --retry-quarantine "* ]] || require_closed
docker compose up --detach --wait --quiet-pull postgres ||
    fail 1 "PostgreSQL did not start: docker compose logs postgres"
said=$(mktemp)
trap 'rm -f "$said"' EXIT
code=0
{
    docker compose run --rm --no-deps --no-TTY --quiet-pull --user "$(id -u):$(id -g)" \
        "${mounts[@]}" app mindgraph import-sqlite "${arguments[@]}" 2>&1 >&3 |
        tee --ignore-interrupts "$said" >&2
} 3>&1 || code=$?
if grep -q "the target has rows already" "$said"; then
    cat >&2 <<'EOF'
A stack that was started without MAINTENANCE=true has the demo organizations. If nothing in it is to be
kept: put MAINTENANCE=true into .env, run `make destroy`, which deletes all its data, then this again.
EOF
fi
exit "$code"
