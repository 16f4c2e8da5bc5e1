#!/usr/bin/env bash
# Opens the database's own shell in this checkout's running stack, as the owner of the tables. What
# comes from a pipe is run up to the first mistake.
set -euo pipefail
cd "$(dirname "$0")/.."

options=()
[ -t 0 ] || options+=(--no-TTY)
# The password is the container's, and stays in it.
# shellcheck disable=SC2016
exec docker compose exec "${options[@]}" postgres sh -c '
    PGPASSWORD=${DATABASE_OWNER_PASSWORD:-$(cat "$DATABASE_OWNER_PASSWORD_FILE")} exec psql --no-psqlrc \
    --set ON_ERROR_STOP=1 --host postgres --username mindgraph_owner --dbname mindgraph'
