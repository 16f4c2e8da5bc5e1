"""Says which base images compose.yaml wants and what the offline build of each would be.

Reads `docker compose config --format json` and prints, for each image and separated by tabs: kind,
reference, hash of the offline build's inputs, and the version that the offline build has.
"""

import hashlib
import json
import sys
from pathlib import Path

OFFLINE = Path(__file__).resolve().parent
# kind: (service whose build names it, what the tag must begin with, kinds it is built on)
KINDS = {
    "python": ("app", "3.13", ()),
    "postgres": ("postgres", "17", ()),
    "redis": ("redis", "8", ()),
    "qdrant": ("qdrant", "v1", ("python",)),
    "caddy": ("proxy", "2", ()),
    "prometheus": ("prometheus", "v2.53", ()),
    "postgres-exporter": ("postgres-exporter", "v0.17", ()),
    "redis-exporter": ("redis-exporter", "v1.69", ()),
}
# Only where compose.prod.yaml is read as well, and the last three with its profile.
PRODUCTION = {"caddy", "prometheus", "postgres-exporter", "redis-exporter"}


def main() -> int:
    services = json.load(sys.stdin)["services"]
    for kind, (service, version, _) in KINDS.items():
        args = services.get(service, {}).get("build", {}).get("args", {})
        if not args.get("BASE_IMAGE") and kind in PRODUCTION:
            continue
        if not args.get("BASE_IMAGE"):
            sys.stderr.write(
                f"Error: compose.yaml has no services.{service}.build.args.BASE_IMAGE: "
                f"name the {kind} image there.\n"
            )
            return 1
        sys.stdout.write("\t".join((kind, args["BASE_IMAGE"], hash_of(kind), version)) + "\n")
    sys.stdout.write("\t".join(("debian", "-", hash_of_files([OFFLINE / "debian.sh"]), "-")) + "\n")
    return 0


def hash_of(kind: str) -> str:
    folder = OFFLINE / kind
    # Hidden files and what Python compiles belong to the checkout's owner, not to the image.
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p[0] in "._" for p in path.relative_to(folder).parts)
    ]
    parents = [hash_of(parent) for parent in KINDS[kind][2]]
    shared = [OFFLINE / "debian.sh", OFFLINE / "compose.yaml"]
    return hash_of_files([*shared, *sorted(files)], *parents)


def hash_of_files(paths: "list[Path]", *more: str) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(OFFLINE).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    digest.update("\0".join(more).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
