#!/usr/bin/env bash
# The base image runs this once, against its private server of an empty data folder.
set -euo pipefail

mindgraph-apply-init /var/run/postgresql
rm -f "$PGDATA.unfinished"
