#!/usr/bin/env bash
# Usage: build.sh NAME
# Makes the image NAME of a small server: Debian 12 with systemd, and what MindGraph needs there besides
# Docker. Its systemd still knows cgroup v1.
set -euo pipefail

name=$1
if ! command -v mmdebstrap >/dev/null; then
    echo "mmdebstrap is missing; run: apt-get install mmdebstrap debian-archive-keyring" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mirror=()
if [ -n "${DEBIAN_MIRROR:-}" ]; then
    mirror=("deb $DEBIAN_MIRROR bookworm main")
fi
TMPDIR=$work mmdebstrap --quiet --variant=minbase \
    --include=dbus,logrotate,make,python3-minimal,libpython3-stdlib,passwd,systemd,systemd-sysv \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$work/root.tar" "${mirror[@]}"
# No terminals and no clocks to set: it is a container.
docker import --change 'CMD ["/sbin/init"]' \
    --change 'LABEL org.mindgraph.image.source=debian' "$work/root.tar" "$name" >/dev/null
