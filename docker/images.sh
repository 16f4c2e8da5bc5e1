#!/usr/bin/env bash
# Makes sure that the base images named in compose.yaml are here: from a registry, or, where none
# can be reached, built from Debian and Python packages.
# usage: images.sh [ensure|list|refresh]
#   IMAGES=auto|registry|debian   where they may come from (auto: a registry, else Debian)
#   IMAGES_PROBE_SECONDS          how long a registry may take to answer (10)
#   IMAGES_STALL_SECONDS          how long a pull may stand still (60)
#   DEBIAN_MIRROR, DEBIAN_SECURITY_MIRROR, PIP_INDEX_URL, CA_BUNDLE   for the offline build
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
offline=$here/offline
mode=${IMAGES:-auto}
work=${TMPDIR:-/tmp}/mindgraph-images-$(id -u)
plan=''
child=''

say() { printf 'images: %s\n' "$*" >&2; }

fail() {
  printf 'Error: %s\n' "$1" >&2
  exit "${2:-1}"
}

read_plan() {
  local config
  command -v python3 >/dev/null || fail 'python3 is missing: install it (3.8 or newer).'
  docker compose version >/dev/null 2>&1 || fail 'docker compose (v2) is missing: run "make engine", or install the compose plugin.'
  config=$(cd "$root" && docker compose config --format json) ||
    fail 'docker compose cannot read compose.yaml: correct what it names above.'
  plan=$(python3 "$offline/plan.py" <<<"$config")
}

# field KIND N: the Nth column of the plan.
field() { awk -F '\t' -v kind="$1" -v n="$2" '$1 == kind { print $n }' <<<"$plan"; }
kinds() { awk -F '\t' '$2 != "-" { print $1 }' <<<"$plan"; }
reference() { field "$1" 2; }
built_name() { printf 'mindgraph-offline/%s:%s' "$1" "$(field "$1" 3 | cut -c 1-16)"; }

# source_of IMAGE: registry, debian HASH, or nothing when it isn't here.
source_of() {
  docker image inspect --format \
    '{{with index .Config.Labels "org.mindgraph.image.source"}}{{.}}{{else}}registry{{end}} {{index .Config.Labels "org.mindgraph.offline.hash"}}' \
    "$1" 2>/dev/null || true
}

is_settled() {
  local source
  source=$(source_of "$(reference "$1")")
  case "$source" in
    '') return 1 ;;
    debian*) [ "$mode" != registry ] && [ "$source" = "debian $(field "$1" 3)" ] ;;
    *) [ "$mode" != debian ] ;;
  esac
}

missing() {
  local kind
  for kind in $(kinds); do
    if ! is_settled "$kind"; then echo "$kind"; fi
  done
}

show() {
  local kind ref source
  printf '%-44s %-9s %-13s %s\n' IMAGE SOURCE ID SIZE
  for kind in $(kinds); do
    ref=$(reference "$kind")
    source=$(source_of "$ref")
    if [ -z "$source" ]; then
      printf '%-44s %-9s\n' "$ref" missing
    else
      printf '%-44s %-9s %s\n' "$ref" "${source%% *}" "$(docker image inspect --format '{{.Id}} {{.Size}}' "$ref" |
        awk '{ printf "%-13s %d MB", substr($1, 8, 12), $2 / 1000000 }')"
    fi
  done
}

# Two checkouts may start at the same moment; the second finds what the first has made.
lock() {
  if ! command -v flock >/dev/null; then return; fi
  exec 9>"${XDG_RUNTIME_DIR:-/tmp}/mindgraph-images-$(id -u).lock"
  if flock --nonblock 9; then return; fi
  say 'another run is getting images, waiting for it'
  flock 9
}

# The lock is held, so whatever lies here is left from a killed run.
clean_work() {
  rm -rf "$work" 2>/dev/null || true
  mkdir -p "$work"
  if [ ! -O "$work" ]; then fail "$work belongs to somebody else: set TMPDIR to a folder of your own."; fi
  chmod 0755 "$work"
}

# Ends what still runs for this run, and takes its files away.
stop() {
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  rm -rf "$work" 2>/dev/null || true
}

# pull KIND...: stops at the first image that the registry doesn't give; its reason is in $work/why.
pull() {
  local kind ref
  for kind in "$@"; do
    ref=$(reference "$kind")
    say "pulling $ref"
    if ! python3 "$offline/pull.py" "$ref" "${IMAGES_PROBE_SECONDS:-10}" "${IMAGES_STALL_SECONDS:-60}" \
      >"$work/why" 9>&-; then
      printf '%s: %s\n' "$ref" "$(tail -n 1 "$work/why")" >"$work/why.line"
      return 1
    fi
    say "got $ref after $SECONDS s"
  done
}

# run_quietly WHAT COMMAND...: the output goes to a log of which the end is shown on failure.
run_quietly() {
  local what=$1 started=$SECONDS
  shift
  say "$what"
  "$@" >"$work/log" 2>&1 9>&- &
  child=$!
  while kill -0 "$child" 2>/dev/null; do
    sleep 1
    if (((SECONDS - started) % 10 == 9)); then say "$what, $((SECONDS - started)) s"; fi
  done
  if wait "$child"; then
    child=''
    say "$what: done in $((SECONDS - started)) s"
    return
  fi
  child=''
  tail -n 40 "$work/log" >&2
  fail "$what failed; the lines above say why."
}

is_here() { docker image inspect "$1" >/dev/null 2>&1; }

build_debian() {
  local image
  image=$(built_name debian)
  if [ "$fresh" = no ] && is_here "$image"; then return; fi
  TMPDIR=$work run_quietly 'making a minimal Debian 13' "$offline/debian.sh" "$work/root.tar"
  docker import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'CMD ["bash"]' \
    --change 'LABEL org.opencontainers.image.title="Debian 13, minimal"' \
    --change 'LABEL org.mindgraph.image.source=debian' \
    --change "LABEL org.mindgraph.offline.hash=$(field debian 3)" \
    "$work/root.tar" "$image" >/dev/null
  rm -f "$work/root.tar"
  docker tag "$image" mindgraph-offline/debian:trixie-slim
}

# A network that signs TLS anew needs its certificates inside of the build; elsewhere they do no harm.
ca_bundle() {
  local file
  for file in "${CA_BUNDLE:-}" "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" \
    /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    # BuildKit takes no secret larger than 500 KiB.
    if [ -s "$file" ] && [ "$(wc -c <"$file")" -le 512000 ]; then
      echo "$file"
      return
    fi
  done
  : >"$work/no-ca.pem"
  echo "$work/no-ca.pem"
}

# Only for run_quietly: it becomes the command, so that a signal reaches that.
compose_build() {
  local kind names=()
  for kind in $(kinds); do
    names+=("$(tr '[:lower:]-' '[:upper:]_' <<<"$kind")_IMAGE=$(built_name "$kind")")
    names+=("$(tr '[:lower:]-' '[:upper:]_' <<<"$kind")_HASH=$(field "$kind" 3)")
  done
  if [ "$fresh" = yes ]; then set -- --no-cache "$@"; fi
  exec env -u COMPOSE_FILE -u COMPOSE_PROJECT_NAME -u COMPOSE_PROFILES "${names[@]}" \
    DEBIAN_IMAGE="$(built_name debian)" CA_BUNDLE="$(ca_bundle)" PIP_INDEX_URL="${PIP_INDEX_URL:-}" \
    docker compose --progress plain --file "$offline/compose.yaml" build "$@"
}

# outdated KIND...: those whose build isn't here yet.
outdated() {
  local kind
  for kind in "$@"; do
    if [ "$fresh" = yes ] || ! is_here "$(built_name "$kind")"; then echo "$kind"; fi
  done
}

require_same_versions() {
  local kind ref tag
  for kind in "$@"; do
    ref=$(reference "$kind")
    tag=${ref##*:}
    case "$tag" in
      "$(field "$kind" 4)" | "$(field "$kind" 4)"[.-]*) ;;
      *) fail "compose.yaml asks for $ref, but docker/offline/$kind builds version $(field "$kind" 4): use a registry (IMAGES=registry) or update it." ;;
    esac
  done
}

# build KIND...: makes the offline images and gives them the names that compose.yaml uses.
build() {
  local kind base qdrant
  require_same_versions "$@"
  base=$(outdated "$@" | grep -vx qdrant || true)
  qdrant=$(outdated "$@" | grep -x qdrant || true)
  # Qdrant's image stands on Python's, whoever else needs that one.
  if [ -n "$qdrant" ]; then base=$(printf '%s\n' "$base" "$(outdated python)" | sort -u | xargs); fi
  if [ -n "$base$qdrant" ]; then build_debian; fi
  # shellcheck disable=SC2086  # words are wanted
  if [ -n "$base" ]; then run_quietly "building ${base//$'\n'/, } from Debian packages" compose_build $base; fi
  if [ -n "$qdrant" ]; then run_quietly 'building qdrant over its engine from PyPI' compose_build qdrant; fi
  for kind in "$@"; do docker tag "$(built_name "$kind")" "$(reference "$kind")"; done
}

get() {
  if [ "$mode" != debian ]; then
    if pull "$@"; then return; fi
    if [ "$mode" = registry ]; then
      fail "the registry did not give $(cat "$work/why.line"); set REGISTRY_PREFIX to a mirror, or IMAGES=debian to build the images from Debian packages."
    fi
    say "no registry ($(cat "$work/why.line")): building the images from Debian packages"
    # shellcheck disable=SC2046  # words are wanted
    set -- $(if [ "$fresh" = yes ]; then echo "$*"; else missing; fi)
  fi
  build "$@"
}

main() {
  local command=${1:-ensure} wanted
  fresh=no
  case "$mode" in auto | registry | debian) ;;
    *) fail "IMAGES is \"$mode\": use auto, registry or debian." 2 ;;
  esac
  case "$command" in ensure | list | refresh) ;;
    *) fail "unknown command \"$command\": use ensure, list or refresh." 2 ;;
  esac
  docker version >/dev/null 2>&1 || fail 'no Docker Engine answers: run "make engine", or start it yourself.'
  read_plan
  if [ "$command" = refresh ]; then fresh=yes; fi
  if [ "$command" = ensure ] && [ -n "$(missing)" ] || [ "$command" = refresh ]; then
    lock
    clean_work
    trap stop EXIT
    if [ "$fresh" = yes ]; then wanted=$(kinds); else wanted=$(missing); fi
    # shellcheck disable=SC2086  # words are wanted
    if [ -n "$wanted" ]; then get $wanted; fi
  fi
  show
}

main "$@"
