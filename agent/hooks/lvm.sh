#!/bin/sh
# Snapshots of file systems on LVM logical volumes for backups; the contract is in docs/hooks.md.
#   lvm.sh create SOURCE      lvm.sh check SNAPSHOT      lvm.sh remove SNAPSHOT
# LVM freezes the file system for the moment, so the snapshot is clean. It is mounted at HOLDFAST_SOURCE_FOLDER.
# HOLDFAST_LVM_SIZE: room for what changes meanwhile, as lvcreate --extents takes it; a thin volume needs none.
set -eu
PATH=$PATH:/usr/sbin:/sbin
name=$HOLDFAST_SOURCE_SNAPSHOT
folder=$HOLDFAST_SOURCE_FOLDER

# What lvs says, without its blanks; its failure is one.
ask() {
  said=$(lvs --noheadings --separator / "$@") || return 1
  printf '%s' "$said" | tr -d ' '
}
ours() { ask --options vg_name,lv_name --select "lv_name=$name"; }

case $1 in
create)
  # The last one of several is on top.
  mounted() { findmnt --noheadings --nofsroot --output "$1" --mountpoint "$2" | tail -n 1; }
  device=$(mounted SOURCE "$2")
  type=$(mounted FSTYPE "$2")
  below=$(mounted FSROOT "$2")
  volume=$(ask --options vg_name,lv_name "$device" 2>/dev/null) || {
    echo "$2 is on no logical volume" >&2
    exit 1
  }
  group=${volume%/*}
  pool=$(ask --options pool_lv "$volume")
  if [ -n "$pool" ]; then
    lvcreate --quiet --snapshot --setactivationskip n --addtag holdfast --name "$name" "$volume" >&2
  else
    lvcreate --quiet --snapshot --extents "${HOLDFAST_LVM_SIZE:-10%ORIGIN}" --addtag holdfast --name "$name" "$volume" >&2
  fi
  options=ro,nosuid,nodev,noexec
  # Two file systems of one id are mounted; XFS wants to be told that this is meant.
  [ "$type" != xfs ] || options=$options,nouuid
  mount -t "$type" -o "$options" "/dev/$group/$name" "$folder" >&2
  # A folder of the file system may be what is mounted at the source.
  printf 'SNAPSHOT=%s%s\n' "$folder" "${below%/}"
  ;;
check)
  volume=$(ours)
  [ -n "$volume" ] || {
    echo "it is gone" >&2
    exit 1
  }
  attributes=$(ask --options lv_attr "$volume")
  case $attributes in
  # Its fifth letter: invalid.
  ????[IS]*)
    echo "its room was used up, and the rest could not be read: raise HOLDFAST_LVM_SIZE" >&2
    exit 1
    ;;
  esac
  ;;
remove)
  if findmnt --mountpoint "$folder" >/dev/null; then umount "$folder" >&2; fi
  volume=$(ours)
  [ -z "$volume" ] || lvremove --quiet --yes "$volume" >&2
  ;;
esac
