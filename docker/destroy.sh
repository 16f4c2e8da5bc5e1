#!/usr/bin/env bash
# Stops the stack and deletes its volumes, after a question that can't be answered by accident.
set -euo pipefail
cd "$(dirname "$0")/.."

project=$(docker compose config --format json | python3 -c 'import json, sys; print(json.load(sys.stdin)["name"])')
echo "This deletes every user, diagram and document of $project:"
docker volume ls --quiet --filter "label=com.docker.compose.project=$project" | sed 's/^/  /'
read -r -p "Type the project's name ($project) to go on: " answer || answer=
if [ "$answer" != "$project" ]; then
    echo "Nothing was deleted."
    exit 1
fi
docker compose down --volumes --remove-orphans
# Those of other generations, which Compose doesn't know.
docker volume ls --quiet --filter "label=com.docker.compose.project=$project" |
    xargs --no-run-if-empty docker volume rm >/dev/null
