#!/bin/sh
# Snapshots of btrfs subvolumes for backups; the contract is in docs/hooks.md.
#   btrfs.sh create SOURCE      btrfs.sh remove SNAPSHOT
# The snapshot is SOURCE/.holdfast-snapshots/NAME. That folder stays: else the times of the subvolume's root would change with each backup.
set -eu
PATH=$PATH:/usr/sbin:/sbin
name=$HOLDFAST_SOURCE_SNAPSHOT
folder=${HOLDFAST_SOURCE%/}/.holdfast-snapshots

# The owner of the subvolume may be a stranger: we work in the folder that we looked at, whatever its name stands for by then.
enter() {
  cd -P -- "$folder"
  [ "$(stat --format=%u:%a .)" = "$(id -u):700" ] && [ "$(pwd -P)" = "$folder" ] && return
  echo "$folder is not a folder that only this user can enter" >&2
  exit 1
}

case $1 in
create)
  if [ "$(stat --file-system --format=%T -- "$2")" != btrfs ] || [ "$(stat --format=%i -- "$2")" != 256 ]; then
    echo "$2 is not the root of a btrfs subvolume" >&2
    exit 1
  fi
  mkdir -m 0700 -- "$folder" 2>/dev/null || true
  enter
  btrfs subvolume snapshot -r "$2" "./$name" >&2
  printf 'SNAPSHOT=%s/%s\n' "$folder" "$name"
  ;;
remove)
  [ -d "$folder" ] || exit 0
  enter
  [ ! -e "./$name" ] || btrfs subvolume delete "./$name" >&2
  ;;
esac
