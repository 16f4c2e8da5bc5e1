#!/usr/bin/env bash
# Builds the project's images, starts the stack, waits until every service is healthy, and says how
# to go on. Engine, .env and base images are there already: `make up` has seen to them.
set -euo pipefail
cd "$(dirname "$0")/.."

goal=${1:-}
started=$SECONDS
production=false
again="make up"
if sed -n "s/^COMPOSE_FILE=//p" .env | tail -n 1 | grep -q compose.prod.yaml; then
    production=true
    again="make up-prod"
fi

say() {
    printf '==> %s (%ss)\n' "$1" "$((SECONDS - started))"
}

network_certificates() {
    # pip inside of a build must trust what this machine trusts; many networks sign TLS anew.
    local bundle
    for bundle in "${CA_BUNDLE:-}" "${PIP_CERT:-}" /etc/ssl/certs/ca-certificates.crt; do
        if [ -n "$bundle" ] && [ -s "$bundle" ]; then
            echo "$bundle"
            return
        fi
    done
    echo docker/app/no-ca.pem
}

build() {
    local log
    log=$(mktemp)
    say "building the images of this checkout"
    if ! docker compose --progress plain build >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "The build failed; the whole log is in $log. Is the network there? Try again: $again" >&2
        exit 1
    fi
    rm -f "$log"
}

# Builds under other names, and then tags NAME:next: what names mean now stays, so that a start or a
# restore in the middle of an upgrade is of the release that runs.
build_next() {
    local namespace image
    namespace=$(built_images | sed -n 's/-app$//p')
    export IMAGE_NAMESPACE=$namespace-building
    build
    for image in $(built_images); do
        docker tag "$image" "$namespace${image#"$IMAGE_NAMESPACE"}:next"
        docker image rm --no-prune "$image" >/dev/null
    done
}

built_images() {
    docker compose config --format json | python3 -c '
import json, sys
services = json.load(sys.stdin)["services"].values()
print(*sorted({one["image"] for one in services if "build" in one}), sep="\n")'
}

# What the host's half of the command `mindgraph` does at a start as well.
ask_host() {
    PYTHONPATH=deploy:docker PYTHONDONTWRITEBYTECODE=1 python3 - "$1" <<'PYTHON'
import sys

from host import changing, volumes
from host.errors import HostError
from host.stack import Stack

asked = {
    "settle": changing.settle,
    "require-database": lambda: volumes.require_database(Stack.here()),
}
try:
    asked[sys.argv[1]]()
except HostError as error:
    sys.exit(str(error))
PYTHON
}

explain() {
    local name
    docker compose ps --all >&2
    for name in $(docker compose ps --all --format '{{.Service}} {{.Health}}' |
        awk '$2 != "healthy" { print $1 }'); do
        echo "--- the last lines of $name:" >&2
        docker compose logs --no-log-prefix --tail 15 "$name" >&2
    done
    echo "The stack is not healthy; the lines above say why. Put it right, then: $again" >&2
}

# What is published, a line each: service, its setting, address and port, as Compose sees them in .env
# and the environment.
published() {
    docker compose config --format json | python3 -c '
import json, sys
settings = {"8000": "APP_PORT", "8080": "HTTP_PORT", "8443": "HTTPS_PORT"}
for name, service in json.load(sys.stdin)["services"].items():
    for port in service.get("ports", []):
        print(name, settings.get(str(port["target"]), "the port"), port["host_ip"], port["published"])'
}

require_free_ports() {
    local service setting host port
    while read -r service setting host port; do
        if [ -z "$(docker compose ps --quiet --status running "$service" 2>/dev/null)" ]; then
            require_free_port "$setting" "$host" "$port"
        fi
    done < <(published)
}

require_free_port() {
    if ! python3 - "$2" "$3" <<'PYTHON'; then
import socket
import sys

with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((sys.argv[1], int(sys.argv[2])))
    except OSError:
        sys.exit(1)
PYTHON
        echo "Port $3 of $2 is taken by another program; change $1 in .env, then: $again" >&2
        exit 1
    fi
}

tell_of_production() {
    local address port
    read -r address port < <(docker compose config --format json | python3 -c '
import json, sys
proxy = json.load(sys.stdin)["services"]["proxy"]["environment"]
print(proxy["SITE_ADDRESS"], proxy["HTTPS_PORT"])')
    if [ "$port" = 443 ]; then port=; else port=:$port; fi
    cat <<EOF

  MindGraph     https://$address$port
  Administrator docker compose exec app mindgraph users create-admin you@school.org
  Look          make ps, make logs, make doctor
  Stop          make down (the data is kept)

EOF
}

case $(pwd -P) in
/mnt/[a-z]/*)
    echo "This checkout is on a Windows drive: slow, and changes are not seen at once. Clone it into" \
        "the Linux file system (cd ~) for development." >&2
    ;;
esac

CA_BUNDLE=$(network_certificates)
REVISION=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
export CA_BUNDLE REVISION VERSION

if [ "$goal" = --build-next ]; then
    build_next
    exit 0
fi
if $production && [ -z "$goal" ] && [ -s .env.lock ]; then
    ask_host settle
fi
if [ -z "$goal" ]; then
    ask_host require-database
fi
build
if [ "$goal" = --build-only ]; then
    exit 0
fi
if $production; then
    say "writing passwords, keys and certificates into secrets/"
    python3 docker/secret_files.py
fi
require_free_ports
say "starting the stack"
if ! docker compose up --detach --wait --remove-orphans; then
    explain
    exit 1
fi
say "all services are healthy"
if $production; then
    tell_of_production
    exit 0
fi

address=$(docker compose port app 8000)
address=${address/0.0.0.0/127.0.0.1}
register="with an invitation code of your organization"
if docker compose exec -T app sh -c '[ "$ENVIRONMENT" != production ]'; then
    register="with the invitation code DEMO-A1B2C of the demo school"
fi
if docker compose exec -T app sh -c 'echo "$MAINTENANCE"' | grep -qiE '^(1|on|t|true|y|yes)$'; then
    register="not now: MAINTENANCE in .env keeps everybody out"
fi
cat <<EOF

  MindGraph     http://$address        API: http://$address/docs
  Register      $register
  Walk through  bash examples/walkthrough.sh http://$address
  Administrator docker compose exec app mindgraph users create-admin you@school.org
  Look          make ps, make logs, make doctor
  Stop          make down (the data is kept)

EOF
