#!/bin/sh
# holdfast @VERSION@, the agent's program for @ARCH@ Linux: a script with a tarball behind it. It unpacks itself once and starts the program
# there (docs/packages.md, "The single file").
set -eu
self=$(readlink -f -- "$0")

# Root's is everybody's: a service with a user of its own finds what root unpacked. What another user owns is run by nobody.
shared=/var/lib/holdfast/unpacked
if [ -n "${HOLDFAST_UNPACK:-}" ]; then
  base=$HOLDFAST_UNPACK
elif [ "$(id -u)" = 0 ] || [ "$(stat -c %u "$shared/@HASH@" 2>/dev/null)" = 0 ]; then
  base=$shared
else
  base=${XDG_CACHE_HOME:-${HOME:?is needed, or HOLDFAST_UNPACK}/.cache}/holdfast/unpacked
fi
folder=$base/@HASH@

if [ ! -d "$folder" ]; then
  umask 022
  mkdir -p -- "$base"
  new=$(mktemp -d -- "$base/.new.XXXXXX")
  trap 'rm -rf -- "$new"' EXIT
  trap 'exit 1' HUP INT TERM
  chmod 755 "$new"
  if ! tail -n +@LINE@ -- "$self" | tar -xzf - -C "$new"; then
    echo "holdfast: $self cannot be unpacked into $base: is the file whole, and is there room (180 MB)? HOLDFAST_UNPACK=DIR names another place" >&2
    exit 1
  fi
  # A folder that has its name is whole, whatever happens to the machine.
  sync -f "$new" 2>/dev/null || sync
  mv -T -- "$new" "$folder" 2>/dev/null || [ -d "$folder" ]
  rm -rf -- "$new"
  trap - EXIT HUP INT TERM
fi
owner=$(stat -c %u "$folder")
if [ "$owner" != 0 ] && [ "$owner" != "$(id -u)" ]; then
  echo "holdfast: $folder belongs to user $owner, so nothing in it is run; HOLDFAST_UNPACK=DIR names another place" >&2
  exit 1
fi
HOLDFAST_PROGRAM=$self
export HOLDFAST_PROGRAM
exec "$folder/bin/holdfast" "$@"
