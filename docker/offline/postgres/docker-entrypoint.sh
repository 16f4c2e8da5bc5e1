#!/usr/bin/env bash
# Entry point with the contract of the official postgres image: initialises an empty data folder
# from POSTGRES_* and /docker-entrypoint-initdb.d, then becomes the server.
set -Eeuo pipefail
shopt -s nullglob

fail() {
  printf 'Error: %s\n' "$1" >&2
  exit 1
}

# read_setting NAME DEFAULT: exports NAME from NAME, else from the file named by NAME_FILE.
read_setting() {
  local name=$1 value=${2:-} file_name="$1_FILE"
  if [ -n "${!name:-}" ] && [ -n "${!file_name:-}" ]; then
    fail "both $name and $file_name are set: set only one of them."
  fi
  if [ -n "${!name:-}" ]; then
    value=${!name}
  elif [ -n "${!file_name:-}" ]; then
    [ -r "${!file_name}" ] || fail "$file_name names ${!file_name}, which cannot be read: mount it or correct the name."
    value=$(<"${!file_name}")
  fi
  export "$name=$value"
  unset "$file_name"
}

read_settings() {
  read_setting POSTGRES_PASSWORD
  read_setting POSTGRES_USER postgres
  read_setting POSTGRES_DB "$POSTGRES_USER"
  read_setting POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}" "${POSTGRES_INITDB_WALDIR:=}"
}

is_initialised() { [ -s "$PGDATA/PG_VERSION" ]; }

make_folders() {
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA" || :
  mkdir -p /var/run/postgresql || :
  chmod 3777 /var/run/postgresql || :
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
    mkdir -p "$POSTGRES_INITDB_WALDIR"
    chmod 0700 "$POSTGRES_INITDB_WALDIR"
  fi
}

own_folders() {
  find "$PGDATA" ! -user postgres -exec chown postgres {} +
  find /var/run/postgresql ! -user postgres -exec chown postgres {} +
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
    find "$POSTGRES_INITDB_WALDIR" ! -user postgres -exec chown postgres {} +
  fi
}

require_password() {
  if [ -n "$POSTGRES_PASSWORD" ] || [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then return; fi
  fail 'the database is not initialised and no superuser password is given: set POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE); only POSTGRES_HOST_AUTH_METHOD=trust goes without one, and lets anybody in.'
}

# initdb looks its user up by name, which an id given by --user need not have.
name_the_user() {
  local library
  if getent passwd "$(id -u)" >/dev/null; then return; fi
  for library in /usr/lib/*/libnss_wrapper.so; do
    NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
    export LD_PRELOAD=$library NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
    printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$(id -u)" "$(id -g)" "$PGDATA" >"$NSS_WRAPPER_PASSWD"
    printf 'postgres:x:%s:\n' "$(id -g)" >"$NSS_WRAPPER_GROUP"
  done
}

forget_the_user() {
  if [ -z "${NSS_WRAPPER_PASSWD:-}" ]; then return; fi
  rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
  unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
}

make_database_folder() {
  local options=() waldir=()
  # POSTGRES_INITDB_ARGS is a shell fragment by contract, so that a value may hold quoted spaces.
  eval "options=($POSTGRES_INITDB_ARGS)"
  if [ -n "$POSTGRES_INITDB_WALDIR" ]; then waldir=(--waldir "$POSTGRES_INITDB_WALDIR"); fi
  name_the_user
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    "${waldir[@]}" "${options[@]}" >&2
  forget_the_user
}

let_hosts_in() {
  local method=$POSTGRES_HOST_AUTH_METHOD
  if [ -z "$method" ]; then method=$(postgres -C password_encryption "$@"); fi
  {
    printf '\n'
    if [ "$method" = trust ]; then printf '# trust lets anybody in without a password\n'; fi
    printf 'host all all all %s\n' "$method"
  } >>"$PGDATA/pg_hba.conf"
}

# The passing server must not be reachable over TCP: clients would meet a half-made database.
start_passing_server() {
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -w start \
    -o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")" >&2
}

stop_passing_server() { pg_ctl -D "$PGDATA" -m fast -w stop >&2; }

run_sql() {
  local database=$1
  PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password \
    --username "$POSTGRES_USER" --dbname "$database" "${@:2}"
}

make_named_database() {
  local found
  found=$(run_sql postgres --tuples-only --set db="$POSTGRES_DB" \
    <<<"SELECT 1 FROM pg_database WHERE datname = :'db';")
  if [ -n "$found" ]; then return; fi
  run_sql postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";' >&2
}

# An executable script runs on its own; any other is sourced, as in the official image.
run_init_files() {
  local file
  for file in "$@"; do
    printf '%s: running %s\n' "${0##*/}" "$file" >&2
    case "$file" in
      *.sh)
        if [ -x "$file" ]; then
          "$file"
        else
          # shellcheck source=/dev/null
          . "$file"
        fi
        ;;
      *.sql) run_sql "$POSTGRES_DB" --file "$file" >&2 ;;
      *.sql.gz) gunzip -c "$file" | run_sql "$POSTGRES_DB" >&2 ;;
      *.sql.xz) xzcat "$file" | run_sql "$POSTGRES_DB" >&2 ;;
      *.sql.zst) zstd -dc "$file" | run_sql "$POSTGRES_DB" >&2 ;;
      *) printf '%s: ignoring %s\n' "${0##*/}" "$file" >&2 ;;
    esac
  done
}

initialise() {
  require_password
  # Fails before anything is made if the folder can't be read.
  ls /docker-entrypoint-initdb.d/ >/dev/null
  make_database_folder
  let_hosts_in "$@"
  export PGPASSWORD="${PGPASSWORD-$POSTGRES_PASSWORD}"
  start_passing_server "$@"
  make_named_database
  run_init_files /docker-entrypoint-initdb.d/*
  stop_passing_server
  unset PGPASSWORD
  printf '\nPostgreSQL init process complete; ready for start up.\n\n' >&2
}

asks_for_help() {
  local argument
  for argument in "$@"; do
    case "$argument" in
      -'?' | --help | --describe-config | -V | --version) return 0 ;;
    esac
  done
  return 1
}

main() {
  if [[ ${1:-} == -* ]]; then set -- postgres "$@"; fi
  if [ "${1:-}" != postgres ] || asks_for_help "$@"; then exec "$@"; fi
  # Before root is given up: a secret file may be readable by root alone.
  read_settings
  make_folders
  if [ "$(id -u)" = 0 ]; then
    own_folders
    exec gosu postgres "${BASH_SOURCE[0]}" "$@"
  fi
  if is_initialised; then
    printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n' >&2
  else
    initialise "${@:2}"
  fi
  exec "$@"
}

main "$@"
