#!/bin/sh
# @PACKAGE@: nothing of it runs while its files are replaced or go.
set -e

unit=@UNIT@

if [ -d /run/systemd/system ]; then
  case $1 in
    upgrade | failed-upgrade)
      if systemctl is-active --quiet "$unit"; then touch /run/@PACKAGE@.stopped-by-upgrade; fi
      systemctl stop "$unit"
      ;;
    remove | deconfigure)
      systemctl stop '@DRIVES@' "$unit"
      ;;
  esac
fi
if [ "$1" = remove ]; then
  update-alternatives --remove holdfast /usr/lib/@PACKAGE@/bin/holdfast
fi
exit 0
