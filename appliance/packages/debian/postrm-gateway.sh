#!/bin/sh
# holdfast-gateway: a purge takes everything but backups.
set -e

directory=/var/lib/holdfast/gateway

if [ "$1" = purge ]; then
  rm -f /etc/systemd/system/multi-user.target.wants/holdfast-gateway.service
  rm -f /etc/systemd/system/multi-user.target.wants/holdfast-mount@*.service
  rmdir /etc/systemd/system/multi-user.target.wants 2>/dev/null || true
  if [ -d "$directory" ] && ! rmdir "$directory" 2>/dev/null; then
    size=$(du -sh "$directory" | cut -f1)
    echo "holdfast-gateway: the backups in $directory ($size) were NOT deleted, and belong to user holdfast-gateway." >&2
    echo "holdfast-gateway: to delete them for good: rm -r $directory && userdel holdfast-gateway" >&2
  else
    if getent passwd holdfast-gateway >/dev/null; then userdel holdfast-gateway || true; fi
    rmdir /var/lib/holdfast 2>/dev/null || true
  fi
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
exit 0
