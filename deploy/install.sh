#!/usr/bin/env bash
# Usage: bash deploy/install.sh [remove]
# Installs the units of this checkout's stack into systemd, and starts them; `remove` takes away all
# that it installed. May be run again at any time.
#   SERVICE_USER=NAME   runs them as this user; by default as the owner of .env, or, where that is
#                       root, as the system user mindgraph
set -euo pipefail

readonly UNITS=/etc/systemd/system STATE=/var/lib/mindgraph LOGS=/var/log/mindgraph
readonly COMMAND=/usr/local/bin/mindgraph ROTATION=/etc/logrotate.d/mindgraph SOCKET=/run/docker.sock
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
checkout=${here%/*}

say() { printf '==> %s\n' "$*"; }

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

names() { (cd "$here/systemd" && printf '%s\n' ./*.service ./*.timer | sed 's,^\./,,'); }

timers() { names | grep '\.timer$'; }

require_systemd() {
    [ "$(id -u)" = 0 ] || die "This installs for the whole machine and needs root; run: sudo make $1"
    [ -d /run/systemd/system ] || die \
        "systemd does not run here; in WSL put systemd=true below [boot] into /etc/wsl.conf and restart WSL"
}

# The stack must be one that can be started without a person.
require_stack() {
    # systemd and sed would read these characters in their own way.
    [[ $checkout =~ ^[A-Za-z0-9/._+-]+$ ]] || die \
        "The path $checkout has other characters than letters, digits and / . _ + -; move the checkout"
    [ -f "$checkout/.env" ] || die "There is no .env and so no stack yet; run: make up-prod"
    grep -q '^COMPOSE_FILE=.*compose\.prod\.yaml' "$checkout/.env" || die \
        "The .env of this checkout is one of development; on a server start with: make up-prod"
    [ -S "$SOCKET" ] || die "There is no engine at $SOCKET; start it: systemctl start docker"
    command -v python3 >/dev/null || die "python3 is missing; run: apt-get install python3"
}

# Sets `user`, and makes the one of its own where root owns the stack.
choose_user() {
    user=${SERVICE_USER:-$(stat -c %U "$checkout/.env")}
    if [ "$user" = root ]; then
        user=mindgraph
    fi
    if ! id "$user" >/dev/null 2>&1; then
        [ "$user" = mindgraph ] || die "There is no user $user; leave SERVICE_USER away, or make it: useradd $user"
        useradd --system --user-group --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin mindgraph
        say "made the system user mindgraph"
    fi
    group=$(id -gn "$user")
}

# as_user COMMAND ...: as the units will run it.
as_user() {
    setpriv --reuid "$user" --regid "$group" --groups "$(getent group "$docker_group" | cut -d: -f3)" \
        --no-new-privs --reset-env env DOCKER_CONFIG=$STATE/docker PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        "$@"
}

give_to_user() {
    local file
    install -d -o "$user" -g "$group" -m 0750 "$STATE" "$LOGS"
    install -d -o "$user" -g "$group" -m 0755 "$STATE/metrics"
    [ -e "$checkout/.env.lock" ] || install -m 0600 /dev/null "$checkout/.env.lock"
    for file in "$checkout/.env" "$checkout/.env.lock"; do
        # Only from root: a person who owns it goes on to need it.
        if [ "$(stat -c %U "$file")" = root ]; then
            chown "$user:$group" "$file"
        fi
    done
    [ -d "$checkout/secrets" ] || install -d -o "$user" -g "$group" -m 0700 "$checkout/secrets"
    as_user test -r "$checkout/compose.yaml" || die \
        "The user $user can't read $checkout; open the way to it (chmod o+x on each folder above it) or move it to /opt"
    as_user test -r "$checkout/.env" || die \
        "The user $user can't read $checkout/.env; run: chown $user $checkout/.env"
}

# Compose may be a plugin of root alone.
give_compose() {
    local plugin
    if as_user docker compose version >/dev/null 2>&1; then
        return
    fi
    plugin=$(docker info --format '{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}' 2>/dev/null || true)
    [ -n "$plugin" ] || die "docker compose is missing; run: make engine"
    install -D -m 0755 "$plugin" "$STATE/docker/cli-plugins/docker-compose"
    chmod 0755 "$STATE/docker" "$STATE/docker/cli-plugins"
    as_user docker compose version >/dev/null || die \
        "docker compose does not run as $user; try: runuser -u $user -- docker compose version"
}

require_files_of_settings() {
    local name file
    for name in BACKUP_S3_CA DATABASE_CA TLS_ACME_CA TLS_CERTIFICATE TLS_KEY; do
        file=$(sed -n "s/^$name=['\"]\?\([^'\"]*\)['\"]\?$/\1/p" "$checkout/.env" | tail -n 1)
        if [ -n "$file" ] && [ "$file" != system ]; then
            (cd "$checkout" && as_user test -r "$file") || die \
                "The user $user can't read $file, which $name in .env names; run: setfacl -m u:$user:r $file (and x on its folders)"
        fi
    done
}

filled() {
    sed -e "s|@CHECKOUT@|$checkout|g" -e "s|@USER@|$user|g" -e "s|@GROUP@|$group|g" \
        -e "s|@DOCKER_GROUP@|$docker_group|g" "$1"
}

install_units() {
    local name
    for name in $(names); do
        filled "$here/systemd/$name" >"$UNITS/$name"
        chmod 0644 "$UNITS/$name"
    done
    # The second is read for every unit whose name begins so.
    for name in mindgraph.service.d mindgraph-.service.d; do
        install -d "$UNITS/$name"
        filled "$here/systemd/hardening.conf" >"$UNITS/$name/10-hardening.conf"
    done
    if [ -d "${ROTATION%/*}" ]; then
        filled "$here/logrotate" >"$ROTATION"
    fi
    ln -sfn "$checkout/deploy/mindgraph" "$COMMAND"
    systemctl daemon-reload
}

add() {
    require_systemd install-systemd
    require_stack
    docker_group=$(stat -L -c %G "$SOCKET")
    [ "$docker_group" != root ] || die \
        "The engine's socket belongs to group root; run: groupadd docker; systemctl restart docker.socket docker"
    choose_user
    give_to_user
    give_compose
    require_files_of_settings
    install_units
    say "installed the units as user $user, $COMMAND and $ROTATION; starting the stack"
    # shellcheck disable=SC2046  # names without spaces
    systemctl enable --quiet --now $(timers)
    systemctl enable --quiet mindgraph.service
    systemctl start mindgraph.service || die \
        "The stack did not become healthy, and is tried again every 20 seconds; see: journalctl -u mindgraph.service"
    cat <<TEXT

  State         systemctl status mindgraph; systemctl list-timers 'mindgraph*'
  Journal       journalctl -u 'mindgraph*'
  Stop, start   systemctl stop mindgraph; systemctl start mindgraph
  Undo all this make uninstall-systemd (the stack and its data stay)

TEXT
}

remove() {
    require_systemd uninstall-systemd
    local name file
    # shellcheck disable=SC2046
    systemctl disable --quiet --now $(timers) mindgraph.service 2>/dev/null || true
    for name in $(names); do
        rm -f "$UNITS/$name" "/var/lib/systemd/timers/stamp-$name"
        systemctl reset-failed "$name" 2>/dev/null || true
    done
    for name in mindgraph.service.d mindgraph-.service.d; do
        rm -f "$UNITS/$name/10-hardening.conf"
        rmdir --ignore-fail-on-non-empty "$UNITS/$name" 2>/dev/null || true
    done
    systemctl daemon-reload
    rm -f "$ROTATION"
    if [ "$(readlink "$COMMAND")" = "$checkout/deploy/mindgraph" ]; then
        rm -f "$COMMAND"
    fi
    for file in "$checkout/.env" "$checkout/.env.lock"; do
        if [ "$(stat -c %U "$file" 2>/dev/null)" = mindgraph ]; then
            chown root: "$file"
        fi
    done
    rm -rf "$STATE" "$LOGS"
    if id mindgraph >/dev/null 2>&1; then
        userdel mindgraph
    fi
    say "stopped the stack and removed its units, timers, $COMMAND, $STATE and $LOGS"
    say "its data and .env are kept; start it without systemd: make up-prod"
    say "what systemctl edit made, and /etc/mindgraph, are yours and stay"
}

case ${1:-} in
"") add ;;
remove) remove ;;
*) die "unknown word '$1': use 'deploy/install.sh' or 'deploy/install.sh remove'" ;;
esac
