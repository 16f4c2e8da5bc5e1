#!/usr/bin/env bash
# Usage: bash examples/walkthrough.sh [URL]
# The main job from end to end: register, log in, save a mind map, restart the service where Compose
# runs it, read the map back and compare. Exits 1 with the difference when it isn't equal.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(dirname "$here")

port=
if [ -f "$checkout/.env" ]; then
    port=$(sed -n "s/^APP_PORT=['\"]\?\([0-9]*\).*/\1/p" "$checkout/.env" | tail -n 1)
fi
url=${1:-http://127.0.0.1:${APP_PORT:-${port:-8000}}}
url=${url%/}
invitation=${INVITATION_CODE:-DEMO-A1B2C}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for command in curl python3; do
    if ! command -v "$command" >/dev/null; then
        echo "This walk-through needs $command; on Debian or Ubuntu: apt-get install $command" >&2
        exit 1
    fi
done

# call METHOD PATH STATUS [FILE]: the body goes to $work/answer.
call() {
    local status data=()
    if [ -n "${4:-}" ]; then
        data=(--data-binary "@$4" --header 'Content-Type: application/json')
    fi
    status=$(curl --silent --show-error --noproxy '*' --max-time 30 --request "$1" \
        --cookie "$work/cookies" --cookie-jar "$work/cookies" --output "$work/answer" \
        --write-out '%{http_code}' "${data[@]}" "$url$2") || {
        echo "$url doesn't answer; start it with \`make up\` or \`make run\`" >&2
        exit 1
    }
    if [ "$status" != "$3" ]; then
        echo "$1 $2 answered $status instead of $3: $(cat "$work/answer")" >&2
        if grep -q InvalidCaptcha "$work/answer"; then
            echo "No script can solve a captcha; start the service with CAPTCHA_ENABLED=false" >&2
        fi
        exit 1
    fi
}

field() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
        "$work/answer" "$1"
}

wait_until_ready() {
    for _ in $(seq 300); do
        if curl --silent --fail --noproxy '*' --max-time 2 --output /dev/null "$url/readyz"; then
            return
        fi
        sleep 0.2
    done
    echo "$url is not ready after a minute: $(curl --silent --noproxy '*' "$url/readyz")" >&2
    exit 1
}

# Only where this checkout's stack is what answers at the URL.
restart() {
    local published
    published=$(cd "$checkout" && docker compose port app 8000 2>/dev/null) || return 1
    published=${published/0.0.0.0/127.0.0.1}
    case ${url#*://} in
    "$published" | "localhost:${published##*:}") ;;
    *) return 1 ;;
    esac
    (cd "$checkout" && docker compose --progress quiet restart app)
    wait_until_ready
}

login="walker-$(date +%s)-$$@example.org"
password=$(python3 -c 'import secrets; print(secrets.token_urlsafe(18))')
printf '{"login": "%s", "password": "%s", "name": "小明 🐼", "invitation_code": "%s"}' \
    "$login" "$password" "$invitation" >"$work/registration"

echo "1. register $login with invitation $invitation"
call POST /api/auth/register 201 "$work/registration"
echo "2. log in"
call POST /api/auth/login 200 "$work/registration"
echo "3. save a mind map with Chinese, English and emoji"
call POST /api/diagrams 201 "$here/mind-map.json"
id=$(field id)
if restart; then
    echo "4. the service was restarted"
else
    echo "4. no restart: $url isn't served by this checkout's Compose stack"
fi
echo "5. read diagram $id back"
call GET "/api/diagrams/$id" 200
python3 - "$here/mind-map.json" "$work/answer" <<'EOF'
import difflib, json, sys

saved, found = (json.load(open(name, encoding="utf-8")) for name in sys.argv[1:])
texts = [
    json.dumps({key: one[key] for key in saved}, indent=1, ensure_ascii=False, sort_keys=True)
    for one in (saved, found)
]
if texts[0] != texts[1]:
    print(*difflib.unified_diff(*(text.split("\n") for text in texts), "saved", "read"), sep="\n")
    sys.exit(1)
EOF
call GET /api/diagrams 200
grep -q "$id" "$work/answer" || { echo "the list doesn't show it: $(cat "$work/answer")" >&2; exit 1; }
echo "6. log out; the diagram is out of reach"
call POST /api/auth/logout 204
call GET "/api/diagrams/$id" 401
echo "All of it is equal to what was saved."
