#!/bin/sh
# @PACKAGE@: its user, its directory, its name in the path; enabled once, and started again if an upgrade stopped it.
set -e

unit=@UNIT@
user=@USER@
directory=@DIRECTORY@
stopped=/run/@PACKAGE@.stopped-by-upgrade

if [ "$1" = configure ]; then
  if ! getent passwd "$user" >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir "$directory" --shell /usr/sbin/nologin "$user"
  fi
  if [ ! -e "$directory" ]; then
    mkdir -p "$(dirname "$directory")"
    # Root may have made it for itself, before there was a package.
    chmod a+rx "$(dirname "$directory")"
    install -d -m 0700 -o "$user" -g "$user" "$directory"
  elif [ "$(stat -c %U "$directory")" != "$user" ]; then
    echo "@PACKAGE@: $directory belongs to $(stat -c %U "$directory"); 'holdfast service install @NAME@' gives it to $user" >&2
  fi
  # Small systems leave out manuals, and this folder with them.
  mkdir -p /usr/share/man/man1
  update-alternatives --install /usr/bin/holdfast holdfast /usr/lib/@PACKAGE@/bin/holdfast @PRIORITY@ \
    --slave /usr/share/man/man1/holdfast.1.gz holdfast.1.gz /usr/lib/@PACKAGE@/share/holdfast.1.gz \
    --slave /usr/share/bash-completion/completions/holdfast holdfast.bash /usr/lib/@PACKAGE@/share/holdfast.bash \
    --slave /usr/share/zsh/vendor-completions/_holdfast holdfast.zsh /usr/lib/@PACKAGE@/share/_holdfast \
    --slave /usr/share/fish/vendor_completions.d/holdfast.fish holdfast.fish /usr/lib/@PACKAGE@/share/holdfast.fish
  # Once: who disables it keeps it so. The link is what `systemctl enable` makes, also where systemd comes later.
  if [ -z "$2" ]; then
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -sf "/usr/lib/systemd/system/$unit" "/etc/systemd/system/multi-user.target.wants/$unit"
  fi
fi

if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  control=systemctl
  if command -v deb-systemd-invoke >/dev/null; then control=deb-systemd-invoke; fi
  # A first installation over a directory of before has something to run; a unit without does not start.
  if [ -e "$stopped" ] || { [ "$1" = configure ] && [ -z "$2" ]; }; then
    rm -f "$stopped"
    $control start "$unit" || echo "@PACKAGE@: $unit did not start: journalctl -u $unit" >&2
  fi
  # Drives of before go on with the new program.
  if [ -n "$2" ]; then systemctl try-restart '@DRIVES@' || true; fi
fi
exit 0
