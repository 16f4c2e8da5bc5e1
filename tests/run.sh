#!/usr/bin/env bash
# Usage: bash tests/run.sh [PYTEST ARGUMENT ...]
# Without arguments: the checks of tests/lint.sh, then every test; those that start whole stacks come
# last. Arguments are pytest's, as in `bash tests/run.sh tests/http -k login`; paths replace the
# whole.
#   TEST_WORKERS=2         tests at the same time
#   STACK_TEST_WORKERS=2   stacks at the same time
set -euo pipefail
cd "$(dirname "$0")/.."

NOTHING_FOUND=5

fail() {
    echo "$1" >&2
    exit 1
}

# The images are named in the way of compose.yaml, whatever .env and the environment say.
image_namespace() {
    docker compose config --format json | python3 -c '
import json, sys
print(json.load(sys.stdin)["services"]["postgres"]["image"].removesuffix("-postgres"))'
}

if [ ! -x .venv/bin/pytest ]; then
    fail "There is no .venv with pytest; make it: make venv"
fi
if [ -z "${MINDGRAPH_TEST_IMAGES:-}" ]; then
    MINDGRAPH_TEST_IMAGES=$(image_namespace) || fail "Compose can't read the stack; try: make env"
fi
for service in postgres redis qdrant app; do
    docker image inspect "$MINDGRAPH_TEST_IMAGES-$service" >/dev/null 2>&1 ||
        fail "There is no image $MINDGRAPH_TEST_IMAGES-$service; build it: make build"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MINDGRAPH_TEST_IMAGES
# Each part adds what it counted, so that the last table is the sum.
export MINDGRAPH_TEST_COUNTS=$work/counts.json
export MINDGRAPH_TEST_INDEXES=$work/indexes

workers=${TEST_WORKERS:-2}
stack_workers=${STACK_TEST_WORKERS:-2}

# test_part WORKERS DISTRIBUTION ARGUMENT ...: remembers a failure, and whether there were any tests.
status=0
found=no
test_part() {
    local part=0
    .venv/bin/pytest --numprocesses "$1" --dist "$2" "${@:3}" || part=$?
    if [ "$part" = "$NOTHING_FOUND" ]; then
        return
    fi
    found=yes
    if [ "$part" != 0 ] && [ "$status" = 0 ]; then
        status=$part
    fi
    if [ "$part" = 2 ]; then
        # Interrupted.
        exit 2
    fi
}

paths=()
options=()
for argument in "$@"; do
    case $argument in
    tests | tests/* | ./tests*) paths+=("$argument") ;;
    *) options+=("$argument") ;;
    esac
done

if [ $# = 0 ]; then
    bash tests/lint.sh || status=1
fi
if [ ${#paths[@]} -gt 0 ]; then
    test_part "$workers" worksteal "${options[@]}" "${paths[@]}"
else
    test_part "$workers" worksteal "${options[@]}" --ignore tests/stack --ignore tests/chaos tests
    if [ $# = 0 ]; then
        .venv/bin/python -m tests.indexes "$MINDGRAPH_TEST_INDEXES" || status=1
    fi
    # A stack serves all tests of a file, or of several: see tests/stack/conftest.py.
    test_part "$stack_workers" loadfile "${options[@]}" tests/stack tests/chaos
fi
if [ "$found" = no ]; then
    fail "No test was found; is the expression or path right?"
fi
exit "$status"
