#!/usr/bin/env bash
# Started as `./entrypoint.sh` like the official image's; arguments of the real binary mean nothing here.
set -euo pipefail

if [ "$#" -gt 0 ]; then
  printf 'Error: the offline stand-in takes no arguments (%s): set QDRANT__... variables.\n' "$*" >&2
  exit 2
fi
# -P keeps the folder of the storage, which is writable, off the import path.
exec env PYTHONPATH=/qdrant/offline python3 -P /qdrant/offline/server.py
