#!/bin/sh
# Makes sure that the outside programs are there which the tests compare with and mount by, then
# runs everything. On Debian as root it installs what is missing; elsewhere it names it and goes on.
set -eu
cd "$(dirname -- "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
# Not every npm links the node of its package into .bin.
for folder in "$PWD"/node_modules/node-linux-*/bin; do
  PATH=$folder:$PATH
done
export PATH

# package:program that it brings
missing=
for pair in fuse3:fusermount3 attr:getfattr acl:getfacl rsync:rsync restic:restic borgbackup:borg \
  faketime:faketime fio:fio qemu-utils:qemu-img qemu-system-common:qemu-storage-daemon xfsprogs:xfs_io e2fsprogs:e2fsck btrfs-progs:mkfs.btrfs exfatprogs:mkfs.exfat exfat-fuse:mount.exfat-fuse curl:curl \
  strace:strace git:git zsh:zsh fish:fish litmus:litmus cadaver:cadaver davfs2:mount.davfs rclone:rclone \
  libglib2.0-bin:gio dbus-daemon:dbus-run-session chromium:chromium p7zip-full:7z unzip:unzip libarchive-tools:bsdtar \
  fdisk:sfdisk iproute2:ip qemu-system-x86:qemu-system-x86_64 \
  radosgw:radosgw ceph-mon:ceph-mon ceph-osd:ceph-osd \
  squid:squid openssl:openssl samba:smbd smbclient:smbclient systemd:systemd-analyze \
  postgresql:psql mariadb-server-core:mariadbd mariadb-client:mariadb-dump mmdebstrap:mmdebstrap; do
  command -v "${pair#*:}" >/dev/null 2>&1 || missing="$missing ${pair%%:*}"
done
# The part of gvfs that speaks WebDAV is no command either.
[ -e /usr/libexec/gvfsd-dav ] || missing="$missing gvfs-backends"
# borg mounts through a module of Python, which is no command.
/usr/bin/python3 -c 'import pyfuse3' 2>/dev/null || missing="$missing python3-pyfuse3"
# Samba's shadow_copy2 is a library.
ls /usr/lib/*/samba/vfs/shadow_copy2.so >/dev/null 2>&1 || missing="$missing samba-vfs-modules"

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
    echo "installing for the tests:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of names on purpose
    if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } </dev/null >&2; then
      echo "could not install$missing: tests that need them will fail or be skipped" >&2
    fi
  else
    echo "missing (tests that need them will fail or be skipped):$missing" >&2
  fi
fi

# Threads and programs that the tests start load the sources: stripped and compiled once, they start in half the processor time.
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-${TMPDIR:-/tmp}/holdfast-test-compile}"
# The C library's memory in large pages, where the kernel gives them when it is asked to: where the machine is a virtual one, a
# page fault may cost more than what is done with the page. For the tests' own processes alone (test/ownMemory.ts).
export GLIBC_TUNABLES="${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1}"
exec node test/run.ts "$@"
