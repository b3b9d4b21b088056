#!/bin/sh
# Snapshots of mounted ZFS datasets for backups; the contract is in docs/hooks.md.
#   zfs.sh create SOURCE      zfs.sh remove SNAPSHOT
set -eu
PATH=$PATH:/usr/sbin:/sbin
name=$HOLDFAST_SOURCE_SNAPSHOT

case $1 in
create)
  dataset=$(findmnt --noheadings --types zfs --output SOURCE --mountpoint "$2" | tail -n 1)
  [ -n "$dataset" ] || {
    echo "$2 is not where a ZFS dataset is mounted" >&2
    exit 1
  }
  zfs snapshot "$dataset@$name" >&2
  printf 'SNAPSHOT=%s/.zfs/snapshot/%s\n' "${2%/}" "$name"
  ;;
remove)
  # By its name, wherever it is: the dataset need not be mounted any more.
  all=$(zfs list -H -t snapshot -o name)
  printf '%s\n' "$all" | while IFS= read -r each; do
    # Never without the @: that would be the dataset.
    case $each in
    *"@$name") zfs destroy "$each" >&2 ;;
    esac
  done
  ;;
esac
