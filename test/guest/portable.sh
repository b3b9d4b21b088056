#!/bin/sh
# Runs in the guest (guest.ts): no Debian package, but the tarball's gateway and the single file's agent, as services that `service install` makes.
# Two starts: the machine is restarted in between.
set -eu
export LC_ALL=C.UTF-8

fail() { echo "FAILED: $*"; journalctl --no-pager -n 60 -u 'holdfast*' || true; exit 1; }
passed() { echo "ok: $*"; }
within() {
  left=$(($1 * 2)); shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1)); [ $left -gt 0 ] || fail "still not: $*"
    sleep 0.5
  done
}
active() { [ "$(systemctl is-active "$1")" = active ]; }
owner() { stat -c %U /proc/"$(systemctl show --value -p MainPID "$1")"; }
backed_up() { journalctl --no-pager -b -u holdfast-agent | grep -q backup-done; }
gateway() { /opt/holdfast/bin/holdfast "$@"; }
agent() { /usr/local/bin/holdfast-agent "$@"; }

case $1 in
1)
  printf 'correct horse battery staple\n' >/root/password
  mkdir /opt/holdfast
  tar -xf /guest/holdfast-*.tar.gz -C /opt/holdfast --strip-components=1
  install /guest/holdfast-agent-*-linux-* /usr/local/bin/holdfast-agent
  gateway service install gateway
  ! active holdfast-gateway || fail "a gateway runs before its init"
  gateway gateway init --listen 127.0.0.1:7440 --recovery-key-file /root/gateway.key
  within 60 active holdfast-gateway
  gateway account add me --password-file /root/password --recovery-key-file /root/account.key
  fingerprint=$(gateway gateway status | grep -o 'SHA256:[0-9a-f]*' | head -1)
  agent agent enroll https://127.0.0.1:7440 --account me --password-file /root/password --fingerprint "$fingerprint" --device guest
  agent service install agent
  within 60 active holdfast-agent
  [ "$(owner holdfast-gateway)" = holdfast-gateway ] || fail "the gateway is of user $(owner holdfast-gateway)"
  [ "$(owner holdfast-agent)" = holdfast-agent ] || fail "the agent is of user $(owner holdfast-agent)"
  passed "services of the tarball's gateway and of the single file's agent"

  mkdir -m 0700 /srv/data
  echo secret >/srv/data/file
  chmod 0600 /srv/data/file
  gateway item add me/guest/data /srv/data --schedule 'daily every 1m' --jitter 0s
  systemctl reload holdfast-agent
  within 180 backed_up
  [ "$(agent agent cat --item data latest:/srv/data/file)" = secret ] || fail "the backup is another"
  agent service install mount /srv/drive
  grep -q secret /srv/drive/me/guest/data/latest/srv/data/file
  passed "a scheduled backup of what only root may read, and a drive"
  systemctl reboot
  exit 64
  ;;
2)
  within 120 active holdfast-gateway
  within 120 active holdfast-agent
  within 240 backed_up
  within 60 test -e /srv/drive/me/guest/data/latest/srv/data/file
  passed "after the restart all three are there"
  agent service uninstall mount /srv/drive
  agent service uninstall agent
  gateway service uninstall gateway
  ! mountpoint -q /srv/drive || fail "the drive is still there"
  [ -z "$(systemctl list-units --all --no-legend 'holdfast*' | grep -v not-found)" ] || fail "units are left: $(systemctl list-units --all 'holdfast*')"
  [ -z "$(ls /etc/systemd/system | grep holdfast)" ] || fail "unit files are left: $(ls /etc/systemd/system)"
  ! pgrep -f 'agent run|gateway run' || fail "something runs"
  [ -e /var/lib/holdfast/gateway/gateway.json ] && [ -e /var/lib/holdfast/agent/agent.json ] || fail "data is gone"
  passed "uninstalled: the data stays"
  gateway service install gateway
  agent service install agent
  within 60 active holdfast-gateway
  within 60 active holdfast-agent
  agent agent snapshots --item data | grep -q data
  passed "and installed again they go on"
  ;;
esac
