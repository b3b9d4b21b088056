#!/bin/bash
# rgw-up.sh DIR S3_PORT MON_PORT [gateway]: a real single-node Ceph RADOS Gateway on loopback, without systemd and cephx.
# Needs Debian's radosgw, ceph-mon, ceph-osd (--no-install-recommends). Ready when it returns.
# With "gateway" only the S3 server is started (again). Stop with: kill $(cat DIR/*.pid). Access key and secret key come from
# RGW_ACCESS_KEY and RGW_SECRET_KEY; RGW_BLOCK_BYTES is the size of its disk, a sparse file.
set -euo pipefail
D=$(mkdir -p "$1" && cd "$1" && pwd) S3=$2 MON=$3
export CEPH_CONF=$D/c PATH=$PATH:/usr/sbin:/sbin

wait_for() { # SECONDS COMMAND...: until it succeeds
  local left=$(($1 * 20))
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || { echo "rgw-up: never came true: $*" >&2; exit 1; }
    sleep .05
  done
}
osd_is_up() { ceph osd stat | grep -q '1 up'; }
serve() {
  radosgw -n client.rgw >/dev/null 2>&1
  wait_for 60 curl -sf -o /dev/null "http://127.0.0.1:$S3/"
}
if [ "${4:-}" = gateway ]; then serve; exit 0; fi

mkdir -p "$D/mon" "$D/osd"
FSID=$(cat /proc/sys/kernel/random/uuid) OSD=$(cat /proc/sys/kernel/random/uuid)
ADDR="[v2:127.0.0.1:$MON,v1:127.0.0.1:$((MON + 1))]"
cat > "$D/c" <<C
[global]
fsid=$FSID
mon host=$ADDR
public addr=127.0.0.1
cluster addr=127.0.0.1
auth cluster required=none
auth service required=none
auth client required=none
ms mon client mode=crc
run dir=$D
admin socket=$D/\$name.asok
pid file=$D/\$name.pid
log file=$D/\$name.log
mon cluster log file=$D/cluster.log
keyring=$D/keyring
crash dir=$D
mon data=$D/mon
osd data=$D/osd
paxos propose interval=0.05
osd pool default size=1
osd pool default min size=1
osd crush chooseleaf type=0
mon allow pool size one=true
mon data avail crit=1
osd objectstore=bluestore
bluestore block size=${RGW_BLOCK_BYTES:-10737418240}
osd memory target=939524096
rgw crypt require ssl=false
rgw bucket quota ttl=1
rgw bucket quota soft threshold=0.5
rgw frontends=beast endpoint=127.0.0.1:$S3 tcp_nodelay=1
C
touch "$D/keyring"
monmaptool --create --clobber --fsid "$FSID" --addv a "$ADDR" "$D/monmap" >/dev/null
ceph-mon -i a --mkfs --monmap "$D/monmap" --keyring "$D/keyring"
ceph-mon -i a
ceph osd new "$OSD" >/dev/null
ceph-osd -i 0 --mkfs --osd-uuid "$OSD" >/dev/null 2>&1
ceph-osd -i 0 >/dev/null 2>&1
wait_for 60 osd_is_up
for p in .rgw.root default.rgw.{log,control,meta,buckets.index,buckets.data,buckets.non-ec}; do
  ceph osd pool create "$p" 4 >/dev/null 2>&1 &
done
wait
radosgw-admin user create --uid=test --display-name=test --access-key="$RGW_ACCESS_KEY" --secret-key="$RGW_SECRET_KEY" >/dev/null
serve
