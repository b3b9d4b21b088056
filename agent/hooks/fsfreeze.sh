#!/bin/sh
# No snapshot, but nobody writes: the file system is frozen while it is backed up. The contract is in docs/hooks.md.
#   fsfreeze.sh create SOURCE      fsfreeze.sh remove SNAPSHOT
# HOLDFAST_FREEZE_SECONDS: the longest that writers wait. A watch thaws it then, and when the agent is gone, whatever became of this script.
# In HOLDFAST_SOURCE_FOLDER (on another file system): `frozen` from before it is frozen until after it is thawed, `late` when the watch did it.
set -eu
PATH=$PATH:/usr/sbin:/sbin
source=$HOLDFAST_SOURCE
folder=$HOLDFAST_SOURCE_FOLDER
limit=${HOLDFAST_FREEZE_SECONDS:-300}

watch() {
  left=$limit
  while [ -e "$folder/frozen" ] && [ "$left" -gt 0 ] && kill -0 "$HOLDFAST_PID" 2>/dev/null; do
    sleep 1
    left=$((left - 1))
  done
  [ -e "$folder/frozen" ] || return 0
  [ "$left" -gt 0 ] || : >"$folder/late"
  fsfreeze --unfreeze "$source"
}

case $1 in
create)
  device() { stat --format=%d -- "$1"; }
  for needed in / "$HOLDFAST_STATE"; do
    [ "$(device "$source")" != "$(device "$needed")" ] || {
      echo "$source is not frozen: $needed is on it, and the backup would wait for itself" >&2
      exit 1
    }
  done
  : >"$folder/frozen"
  watch </dev/null >/dev/null 2>&1 &
  fsfreeze --freeze "$source" >&2 || {
    rm -f "$folder/frozen"
    exit 1
  }
  printf 'SNAPSHOT=%s\n' "$source"
  ;;
remove)
  [ -e "$folder/frozen" ] || exit 0
  # Where it is not frozen (any more) there is nothing to do.
  fsfreeze --unfreeze "$source" 2>/dev/null || true
  late=no
  [ ! -e "$folder/late" ] || late=yes
  rm -f "$folder/frozen" "$folder/late"
  [ "$late" = no ] || {
    echo "$source was thawed after $limit seconds, before the backup was over: raise HOLDFAST_FREEZE_SECONDS" >&2
    exit 3
  }
  ;;
esac
