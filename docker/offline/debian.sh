#!/usr/bin/env bash
# Writes the root file system of a minimal Debian 13 as a tar file: the base of every offline image.
# usage: debian.sh FILE
set -euo pipefail

# A machine without apt (Fedora, macOS) can't bootstrap Debian, so it needs a registry.
ensure_mmdebstrap() {
  local as_root=() packages=(mmdebstrap debian-archive-keyring)
  if command -v mmdebstrap >/dev/null; then return; fi
  if ! command -v apt-get >/dev/null; then
    echo 'offline images are built with mmdebstrap, which needs a Debian or Ubuntu host: build them on one, or make a registry reachable (REGISTRY_PREFIX names a mirror).' >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "mmdebstrap is missing: run \"apt-get install ${packages[*]}\" as root, then try again." >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo 'installing mmdebstrap' >&2
  # An out-of-date list of one foreign source must not stop what the other sources can give.
  "${as_root[@]}" apt-get update -qq >&2 || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
}

# path-exclude: manuals and translations are half of the size and nobody reads them in a container.
bootstrap() {
  local sources=() as_root=()
  # With a mirror given, mmdebstrap would leave out the updates; with none it knows them by itself.
  if [ -n "${DEBIAN_MIRROR:-}" ]; then
    sources=("deb $DEBIAN_MIRROR trixie main" "deb $DEBIAN_MIRROR trixie-updates main")
  fi
  if [ -n "${DEBIAN_MIRROR:-}" ] && [ -n "${DEBIAN_SECURITY_MIRROR:-}" ]; then
    sources+=("deb $DEBIAN_SECURITY_MIRROR trixie-security main")
  fi
  # Without user namespaces, only root may make the file system of another system.
  if [ "$(id -u)" != 0 ] && ! unshare --user --map-auto --map-root-user true 2>/dev/null; then
    as_root=(sudo)
  fi
  exec "${as_root[@]}" mmdebstrap --quiet --variant=minbase --include=ca-certificates,netbase,tzdata \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-include=/usr/share/locale/locale.alias' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    trixie "$1" "${sources[@]}"
}

ensure_mmdebstrap
bootstrap "${1:?usage: debian.sh FILE}"
