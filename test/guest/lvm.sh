#!/bin/sh
# Runs in the guest (guest.ts): snapshots of logical volumes, thick and thin, which no machine without device-mapper can make. /dev/vdb is an empty disk.
# Two starts: the machine loses its power while a snapshot is read.
set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
agent() { holdfast agent "$@"; }
fail() { echo "FAILED: $*"; lvs || true; findmnt || true; exit 1; }
passed() { echo "ok: $*"; }

snapshots() { lvs --noheadings --options lv_name | grep -c holdfast- || true; }
# Nothing of a run is left: no volume, no mount, no note.
is_clean() {
  [ "$(snapshots)" = 0 ] && ! findmnt --noheadings --output SOURCE | grep -q holdfast-- && [ ! -e /var/lib/holdfast/agent/hooks.json ]
}
clean() { is_clean || fail "something is left"; }
await() {
  left=240
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1)); [ $left -gt 0 ] || fail "still not: $*"
    sleep 0.5
  done
}
some() { [ "$(snapshots)" -gt 0 ]; }

case $1 in
1)
  printf 'correct horse battery staple\n' >/root/password
  dpkg -i /guest/holdfast-*.deb >/dev/null
  holdfast gateway init --listen 127.0.0.1:7440 --recovery-key-file /root/gateway.key
  await systemctl is-active holdfast-gateway
  await holdfast gateway status
  holdfast account add me --password-file /root/password --recovery-key-file /root/account.key
  fingerprint=$(holdfast gateway status | grep -o 'SHA256:[0-9a-f]*' | head -1)
  agent enroll https://127.0.0.1:7440 --account me --password-file /root/password --fingerprint "$fingerprint" --device guest
  pvcreate --quiet /dev/vdb
  vgcreate --quiet disks /dev/vdb
  lvcreate --quiet --size 200M --name thick disks
  lvcreate --quiet --type thin-pool --size 400M --name pool disks
  lvcreate --quiet --virtualsize 300M --thinpool pool --name thin disks
  mkfs.ext4 -q /dev/disks/thick
  mkfs.xfs -q /dev/disks/thin
  for each in thick thin; do
    mkdir -p /srv/$each
    mount /dev/disks/$each /srv/$each
    echo before >/srv/$each/state
    mkdir /srv/$each/folder
    seq 100000 >"/srv/$each/folder/numbers"
  done

  status=0
  agent backup /srv/thick --item refused --snapshot lvm 2>/root/refused || status=$?
  [ $status = 1 ] && grep -q 'lvm needs root' /root/refused && grep -q -- --as-root /root/refused || fail "as the package's user: $(cat /root/refused)"
  clean
  passed "the service's own user makes no snapshot of a volume, and says what would"
  holdfast service install agent --as-root
  # It would remove what a killed run left; here the next command is to do that, and after the loss of power its own start.
  systemctl disable --now holdfast-agent

  for name in lvm auto; do
    for each in thick thin; do echo before >/srv/$each/state; done
    agent backup /srv/thick /srv/thin/folder /srv/thin/state --item both --snapshot $name \
      --after-snapshot 'for each in thick thin; do echo after >/srv/$each/state; rm -f /srv/$each/folder/gone; done'
    for each in thick thin; do
      [ "$(cat /srv/$each/state)" = after ] || fail "nothing was written after the snapshot"
      [ "$(agent cat --item both latest:/srv/$each/state)" = before ] || fail "$each is not of the moment of its snapshot"
      agent cat --item both latest:/srv/$each/folder/numbers | cmp - /srv/$each/folder/numbers
    done
    clean
    passed "thick and thin by $name: of the moment, under the source's paths"
  done
  agent backup /srv/thick /srv/thin --item whole --snapshot lvm
  agent backup /srv/thick /srv/thin --item whole --snapshot lvm --json | tail -1 | grep -q '"files_read":0' || fail "unchanged files were read"
  passed "what did not change is not read again"

  # More is written beside it than the thick snapshot has room for: it is invalid, and nothing is committed.
  status=0
  HOLDFAST_LVM_SIZE=2 agent backup /srv/thick --item small --snapshot lvm --json \
    --after-snapshot 'dd if=/dev/urandom of=/srv/thick/much bs=1M count=60 conv=fsync status=none' >/root/small || status=$?
  [ $status = 1 ] || fail "status $status where the snapshot ran out of room"
  grep -qE "HOLDFAST_LVM_SIZE|runs out of room" /root/small || fail "nothing says what to raise: $(cat /root/small)"
  rm /srv/thick/much
  clean
  passed "a snapshot that ran out of room fails the job"

  round=0
  while [ $round -lt 6 ]; do
    round=$((round + 1))
    echo $round >/srv/thick/state
    agent backup /srv/thick /srv/thin --item killed --snapshot lvm --after-snapshot 'sleep 2' >/dev/null &
    await some
    sleep 0.$((round * 3 % 10))
    pkill -KILL -f 'agent backup' || true
    wait || true
    agent backup /srv/thick /srv/thin --item killed --snapshot lvm >/dev/null
    [ "$(agent cat --item killed latest:/srv/thick/state)" = $round ] || fail "round $round is not in the backup"
    clean
  done
  passed "killed $round times while snapshots were made and read: the next start removes them"

  agent backup /srv/thick /srv/thin --item lost --snapshot lvm --after-snapshot 'test "$HOLDFAST_RESULT" = interrupted || sleep 600' >/dev/null &
  await some
  sleep 3
  sync
  passed "the machine loses its power with $(snapshots) snapshots there"
  echo b >/proc/sysrq-trigger
  sleep 60
  ;;
2)
  vgchange --quiet --activate y disks
  mount /dev/disks/thick /srv/thick
  mount -o nouuid /dev/disks/thin /srv/thin
  [ "$(snapshots)" -gt 0 ] || fail "the power was lost too late to leave a snapshot"
  await holdfast gateway status
  systemctl start holdfast-agent
  await is_clean
  passed "the agent's service removed them when it started"
  agent backup /srv/thick /srv/thin --item lost --snapshot auto
  [ "$(agent cat --item lost latest:/srv/thick/state)" = "$(cat /srv/thick/state)" ] || fail "the backup is another"
  clean
  passed "and backups go on"
  ;;
esac
