#!/bin/sh
# Entry point with the contract of the official redis image: options or a .conf file alone mean
# redis-server, root gives its rights away, any other command runs as it is.
set -eu

case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac

# A container is reached from outside by design, so protected mode starts off, as in the official
# image; an option or a line in the given file still decides.
protected_mode_is_decided() {
  for argument in "$@"; do
    case "$argument" in
      # These only work as the one argument.
      -v | --version | -h | --help | --check-system | --test-memory) return 0 ;;
      --protected-mode) return 0 ;;
      *.conf) if grep -qiE '^[[:space:]]*protected-mode[[:space:]]' "$argument" 2>/dev/null; then return 0; fi ;;
    esac
  done
  return 1
}

if [ "$1" = redis-server ]; then
  if [ "$(id -u)" = 0 ]; then
    # Files that a differently numbered user left in the volume would make the server fail later.
    find . ! -user redis -exec chown redis:redis {} +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
  fi
  if [ "$(umask)" = 0022 ]; then umask 0077; fi
  if ! protected_mode_is_decided "$@"; then set -- "$@" --protected-mode no; fi
fi

exec "$@"
