#!/usr/bin/env bash
# Usage: bash tests/lint.sh
# Every check that runs nothing: style, types, layers, shell scripts, line ends, addresses. All of
# them are made, side by side; the output of those that fail is shown.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/.venv/bin
if [ ! -x "$bin/ruff" ]; then
    echo "There is no .venv with the tools; make it: make venv" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What git has or would take, without what was deleted and not yet committed.
git ls-files --cached --others --exclude-standard -z | sort -zu |
    while IFS= read -r -d '' file; do
        if [ -f "$file" ] && [ ! -L "$file" ]; then printf '%s\0' "$file"; fi
    done >"$work/files"

shell_scripts() {
    local file first
    while IFS= read -r -d '' file; do
        first=
        # A binary file may hold NUL bytes, which bash would complain about.
        IFS= read -r first < <(head -c 64 "$file" | tr -d '\0') || true
        case $first in
        '#!'*sh | '#!'*sh\ *) printf '%s\0' "$file" ;;
        esac
    done <"$work/files"
}

check_shell() {
    shell_scripts | xargs -0 "$bin/shellcheck" --external-sources
}

check_line_ends() {
    local found
    found=$(xargs -0 grep -lIP '\r$' <"$work/files" || true)
    if [ -n "$found" ]; then
        printf 'CRLF line ends; save with LF: %s\n' "$found"
        return 1
    fi
}

# Where packages come from is the business of each machine: mirrors, proxies, offline sites. The dot
# is put in here, so that this file names none of them.
registries() {
    printf '%s\n' pypi@org files@pythonhosted@org deb@debian@org security@debian@org \
        archive@ubuntu@com 'docker@io/' 'registry[a-z0-9-]*@docker@io' registry@npmjs@org \
        registry@yarnpkg@com ghcr@io quay@io gcr@io crates@io proxy@golang@org |
        sed 's/@/\\./g'
}

check_addresses() {
    local found
    registries >"$work/registries"
    found=$(xargs -0 grep -nIiE -f "$work/registries" <"$work/files" || true)
    if [ -n "$found" ]; then
        printf 'Names of package registries; let the machine decide where packages come from:\n%s\n' \
            "$found"
        return 1
    fi
}

names=()
pids=()
start() {
    local name=$1
    shift
    "$@" >"$work/$name.log" 2>&1 &
    names+=("$name")
    pids+=($!)
}

start types "$bin/mypy"
start style "$bin/ruff" check --quiet --output-format concise .
start format "$bin/ruff" format --quiet --check .
start layers "$bin/lint-imports"
start shell check_shell
start line-ends check_line_ends
start addresses check_addresses

failed=()
for at in "${!pids[@]}"; do
    if ! wait "${pids[$at]}"; then
        failed+=("${names[$at]}")
        printf -- '--- %s:\n' "${names[$at]}"
        cat "$work/${names[$at]}.log"
    fi
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "lint: failed: ${failed[*]}" >&2
    exit 1
fi
echo "lint: ${names[*]}: all right"
