#!/usr/bin/env bash
set -euo pipefail

# Else it takes the first part of a host's name for a bucket.
export S3_IGNORE_SUBDOMAIN_BUCKETNAME=true
moto_server --host 127.0.0.1 --port 5000 &
export XDG_DATA_HOME=/tmp XDG_CONFIG_HOME=/tmp
exec caddy run --adapter caddyfile --config /srv/Caddyfile
