#!/bin/sh
# holdfast-agent: a purge takes this machine's key and caches; backups are at the gateway.
set -e

directory=/var/lib/holdfast/agent

if [ "$1" = purge ]; then
  rm -f /etc/systemd/system/multi-user.target.wants/holdfast-agent.service
  rm -f /etc/systemd/system/multi-user.target.wants/holdfast-agent-mount@*.service
  rmdir /etc/systemd/system/multi-user.target.wants 2>/dev/null || true
  if [ -e "$directory/agent.json" ]; then
    echo "holdfast-agent: this machine's key was deleted. Its backups stay at the gateway; 'holdfast device revoke' there ends the device." >&2
  fi
  rm -rf --one-file-system "$directory"
  rmdir /var/lib/holdfast 2>/dev/null || true
  if getent passwd holdfast-agent >/dev/null; then userdel holdfast-agent || true; fi
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
exit 0
