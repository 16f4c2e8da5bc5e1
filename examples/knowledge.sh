#!/usr/bin/env bash
# Usage: bash examples/knowledge.sh [URL]
# The knowledge space from end to end: register, upload a document, wait until it is ready, find a
# passage of it by a question in English and by one in Chinese, read the file back, delete it.
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
        echo "This example needs $command; on Debian or Ubuntu: apt-get install $command" >&2
        exit 1
    fi
done

# call METHOD PATH STATUS [CURL OPTION ...]: the body goes to $work/answer.
call() {
    local status
    status=$(curl --silent --show-error --noproxy '*' --max-time 60 --request "$1" \
        --cookie "$work/cookies" --cookie-jar "$work/cookies" --output "$work/answer" \
        --write-out '%{http_code}' "${@:4}" "$url$2") || {
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

send() {
    call "$1" "$2" "$3" --header 'Content-Type: application/json' --data-binary "$4"
}

# show EXPRESSION: of the answer, which it calls `it`.
show() {
    python3 -c 'import json, sys; it = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
        "$work/answer" "$1"
}

login="reader-$(date +%s)-$$@example.org"
password=$(python3 -c 'import secrets; print(secrets.token_urlsafe(18))')
account=$(printf '{"login": "%s", "password": "%s", "invitation_code": "%s"}' \
    "$login" "$password" "$invitation")

echo "1. register $login and log in"
send POST /api/auth/register 201 "$account"
send POST /api/auth/login 200 "$account"
echo "2. upload a document"
call POST /api/knowledge/documents 201 --form "file=@$here/water-cycle.md" --form tags=geography
id=$(show 'it["id"]')
echo "3. wait until a worker has read it"
for _ in $(seq 240); do
    call GET "/api/knowledge/documents/$id" 200
    state=$(show 'it["newest"]["state"]')
    case $state in
    ready) break ;;
    failed) show 'it["newest"]["problem"]' >&2 && exit 1 ;;
    esac
    sleep 0.5
done
if [ "$state" != ready ]; then
    echo "The document is still $state after two minutes; \`make logs\` says what the worker does" >&2
    exit 1
fi
echo "   $state: $(show '"{chunks} passages".format(**it["newest"])')"
for question in "Where does rain come from?" "水为什么会变成水蒸气？"; do
    echo "4. ask: $question"
    send POST /api/knowledge/search 200 "$(printf '{"query": "%s", "limit": 1}' "$question")"
    show '"   {headings}: {snippet}".format(**it["hits"][0])'
done
echo "5. read the file back"
call GET "/api/knowledge/documents/$id/file" 200
cmp "$here/water-cycle.md" "$work/answer"
echo "6. delete it"
call DELETE "/api/knowledge/documents/$id" 204
send POST /api/knowledge/search 200 '{"query": "rain"}'
test "$(show 'len(it["hits"])')" = 0
echo "All of it was found, and is gone."
