#!/bin/sh
# Runs in the guest (guest.ts): the packages under systemd. Three starts: after the first the machine is restarted in the middle of a
# backup, after the second it loses its power in the middle of one.
set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

fail() { echo "FAILED: $*"; journalctl --no-pager -n 60 -u 'holdfast*' || true; exit 1; }
trap 'status=$?; [ $status = 0 ] || [ $status = 64 ] || { echo "ended with $status"; journalctl --no-pager -n 60 -u "holdfast*" || true; }' EXIT

# SECONDS WORDS: until the words succeed.
within() {
  left=$(($1 * 4)); shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1)); [ $left -gt 0 ] || fail "still not: $*"
    sleep 1
  done
}
active() { [ "$(systemctl is-active "$1")" = active ]; }
property() { systemctl show --value -p "$2" "$1"; }
logged() { journalctl --no-pager -b -u holdfast-agent | grep -q "$1"; }
older() { ls /guest/holdfast-"$1"_*.deb | sort -V | head -n 1; }
newer() { ls /guest/holdfast-"$1"_*.deb | sort -V | tail -n 1; }
passed() { echo "ok: $*"; }

case $1 in
1)
  printf 'correct horse battery staple\n' >/root/password
  began=$(date +%s)
  dpkg -i "$(older gateway)" "$(older agent)"
  [ "$(systemctl is-enabled holdfast-gateway)" = enabled ] || fail "the gateway is not enabled"
  [ "$(systemctl is-active holdfast-gateway || true)" = inactive ] || fail "a gateway runs before its init"
  [ "$(systemctl is-active holdfast-agent || true)" = inactive ] || fail "an agent runs before its enrolment"
  passed "installed, enabled, and nothing runs yet"

  holdfast gateway init --listen 127.0.0.1:7440 --recovery-key-file /root/gateway.key
  within 60 active holdfast-gateway
  holdfast account add me --password-file /root/password --recovery-key-file /root/account.key
  fingerprint=$(holdfast gateway status | grep -o 'SHA256:[0-9a-f]*' | head -1)
  holdfast agent enroll https://127.0.0.1:7440 --account me --password-file /root/password --fingerprint "$fingerprint" --device guest
  holdfast agent backup /etc
  passed "five commands, $(($(date +%s) - began)) s on an emulated processor"
  within 60 active holdfast-agent
  for unit in holdfast-gateway holdfast-agent; do
    [ "$(property $unit User)" = $unit ] || fail "$unit is of user $(property $unit User)"
    [ "$(property $unit WatchdogUSec)" = 3min ] || fail "$unit has no watchdog"
    [ "$(stat -c %U /proc/"$(property $unit MainPID)")" = $unit ] || fail "the process of $unit is another user's"
    property $unit StatusText
    systemd-analyze security --no-pager $unit | tail -1
  done
  grep -E '^(Vm|Rss|CapEff)' /proc/"$(property holdfast-agent MainPID)"/status
  holdfast doctor
  passed "both services are themselves, and the doctor is content"

  # Something that only root may read, and enough of it to be cut off.
  mkdir -m 0700 /srv/data
  dd if=/dev/urandom of=/srv/data/large bs=1M count=300 status=none
  chmod 0600 /srv/data/large
  holdfast item add me/guest/data /srv/data --schedule 'daily every 1m' --jitter 0s
  systemctl reload holdfast-agent
  within 150 logged backup-begins
  sleep 4
  ! logged backup-done || fail "the backup was over too soon to be cut off"
  passed "the machine is restarted in the middle of a backup"
  systemctl reboot
  exit 64
  ;;
2)
  within 90 active holdfast-gateway
  within 90 active holdfast-agent
  within 240 logged backup-done
  [ "$(property holdfast-agent NRestarts)" = 0 ] || fail "the agent failed"
  passed "after the restart both run, and the backup was made up for"
  dd if=/dev/urandom of=/srv/data/second bs=1M count=300 status=none
  sync
  since=$(date '+%F %T')
  again() { journalctl --no-pager -u holdfast-agent --since "$since" | grep -q backup-begins; }
  within 150 again
  sleep 3
  passed "the machine loses its power in the middle of a backup"
  echo b >/proc/sysrq-trigger
  sleep 60
  ;;
3)
  within 90 active holdfast-gateway
  within 90 active holdfast-agent
  within 240 logged backup-done
  passed "after the power came back both run, and the backup was made up for"
  holdfast item edit me/guest/data --disable
  systemctl reload holdfast-agent
  sleep 5
  holdfast agent restore latest --item data --target /srv/restored
  cmp /srv/data/second /srv/restored/srv/data/second
  cmp /srv/data/large /srv/restored/srv/data/large
  holdfast gateway scrub
  passed "restored and equal, and the gateway's packs are sound"

  # An agent that waits: what it holds, and how often its processor has to wake up for it. One wake-up asks the gateway over TLS, which is
  # some switches within a second or two on an emulated processor.
  agent=$(property holdfast-agent MainPID)
  switches() { cat /proc/"$agent"/task/*/status | awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }'; }
  sleep 70
  before=$(switches); was=$before; second=0; last=-10; wakes=0
  while [ $second -lt 180 ]; do
    sleep 1; second=$((second + 1)); now=$(switches)
    if [ "$now" != "$was" ]; then
      [ $((second - last)) -le 5 ] || wakes=$((wakes + 1))
      last=$second; was=$now
    fi
  done
  resident=$(awk '/^VmRSS/ { print int($2 / 1024) }' /proc/"$agent"/status)
  echo "agent run waits: $resident MB resident, awake $wakes times in three minutes, $((was - before)) switches of all its threads"
  [ "$resident" -le 60 ] || fail "an agent that waits holds $resident MB"
  # Once a minute, and once more for what follows when it asked the gateway: a connection that ends, what V8 put off.
  [ $wakes -le 7 ] || fail "an agent that waits wakes up $wakes times in three minutes"

  mkdir -p /etc/systemd/system/holdfast-gateway.service.d
  printf '[Service]\nWatchdogSec=10s\nTimeoutAbortSec=5s\n' >/etc/systemd/system/holdfast-gateway.service.d/test.conf
  systemctl daemon-reload; systemctl restart holdfast-gateway
  kill -STOP "$(property holdfast-gateway MainPID)"
  restarted() { [ "$(property holdfast-gateway NRestarts)" -ge 1 ] && active holdfast-gateway; }
  within 90 restarted
  rm -r /etc/systemd/system/holdfast-gateway.service.d; systemctl daemon-reload
  passed "a gateway that stands still is started again"

  holdfast service install mount /srv/drive
  ls /srv/drive/me/guest/data/latest/srv/data | grep -q large
  [ "$(runuser -u nobody -- cat /srv/drive/me/guest/files/latest/etc/hostname)" = guest ] || fail "others do not see the drive"
  passed "a drive of the agent, for everybody"
  holdfast service install mount /srv/gdrive --of gateway
  holdfast vault unlock me --password-file /root/password
  [ "$(cat /srv/gdrive/me/guest/files/latest/etc/hostname)" = guest ] || fail "the gateway's drive cannot be read"
  [ "$(stat -c %U /proc/"$(property holdfast-gateway MainPID)")" = holdfast-gateway ] || fail "with drives the gateway is another user's"
  passed "a drive of the gateway, for everybody, and the gateway still is no root"
  holdfast service uninstall mount /srv/gdrive --of gateway
  ! mountpoint -q /srv/gdrive || fail "the drive is still there"

  pid=$(property holdfast-gateway MainPID)
  dpkg -i "$(newer gateway)" "$(newer agent)"
  within 60 active holdfast-gateway
  within 60 active holdfast-agent
  [ "$(property holdfast-gateway MainPID)" != "$pid" ] || fail "the gateway was not started again"
  holdfast --version
  within 30 test -e /srv/drive/me/guest/data/latest/srv/data/large
  holdfast agent backup /etc
  passed "upgraded: services and drive run the new program"

  holdfast service uninstall mount /srv/drive
  dpkg --purge holdfast-gateway holdfast-agent
  [ -e /var/lib/holdfast/gateway/gateway.json ] || fail "the backups are gone"
  [ ! -e /var/lib/holdfast/agent ] || fail "the agent's state is still there"
  ! pgrep -f holdfast-agent/ || fail "something runs"
  [ -z "$(systemctl list-units --all --no-legend 'holdfast*' | grep -v not-found)" ] || fail "units are left: $(systemctl list-units --all 'holdfast*')"
  passed "purged: the backups stay, nothing else"
  ;;
esac
