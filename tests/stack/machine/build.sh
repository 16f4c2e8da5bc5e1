#!/usr/bin/env bash
# Usage: build.sh NAME
# Makes the image NAME of a small server: Debian 12 with systemd, and what MindGraph needs there besides
# Docker. Its systemd still knows cgroup v1. What the guides install by apt is in a repository of its
# own, as there is no network.
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
cat >"$work/repository.sh" <<'EOF'
set -eu
root=$1
packages=$root/srv/packages
mkdir "$packages"
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get install --yes --quiet --quiet --download-only \
    git make postgresql postgresql-client python3 ufw >&2
mv "$root"/var/cache/apt/archives/*.deb "$packages"
chroot "$root" sh -c 'cd /srv/packages && apt-ftparchive packages . >Packages'
rm -f "$root"/etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/packages ./' >"$root/etc/apt/sources.list"
EOF
TMPDIR=$work mmdebstrap --quiet --variant=minbase \
    --include=apt-utils,ca-certificates,curl,dbus,iproute2,logrotate,openssl,passwd,sudo,systemd,systemd-sysv \
    --include=libpython3-stdlib,make,python3-minimal \
    --customize-hook="sh $work/repository.sh \"\$1\"" \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$work/root.tar" "${mirror[@]}"
# No terminals and no clocks to set: it is a container.
docker import --change 'CMD ["/sbin/init"]' \
    --change 'LABEL org.mindgraph.image.source=debian' "$work/root.tar" "$name" >/dev/null
