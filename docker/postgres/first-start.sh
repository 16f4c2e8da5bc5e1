#!/usr/bin/env bash
# The base image runs this once, against its private server of an empty data folder.
set -euo pipefail

mindgraph-include-guard
mindgraph-apply-init /var/run/postgresql
# An archive that can't be reached now gets its place with the first file that reaches it.
if { [ -n "${BACKUP_KEY:-}" ] || [ -s "${BACKUP_KEY_FILE:-}" ]; } &&
    ! timeout 60 mindgraph-pgbackrest stanza-create; then
    echo "mindgraph: there is no archive yet; the server starts without it and tries again" >&2
fi
rm -f "$PGDATA.unfinished"
