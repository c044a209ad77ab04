#!/bin/sh
# Installs reliance-daemon as a systemd service, or brings an installed one up to date; run it as often as you like.
# It starts nothing and never touches a configuration, a database or a model that is there already.
#
#   systemd/install.sh              the program into /opt/reliance-daemon, with a Python environment of its own
#   systemd/install.sh --keep-venv  the same, with the environment that is there already
#   PYTHON=/usr/bin/python3.12      which Python to use, 3.11 to 3.13; default: the first of these in /usr
set -eu
cd "$(dirname "$0")/.."
HOME_DIR=/opt/reliance-daemon
VENV=$HOME_DIR/venv
ETC=/etc/reliance-daemon

fail() { echo "install.sh: $1" >&2; exit 1; }
say() { echo "install.sh: $1"; }

find_python() {
  for one in ${PYTHON:-/usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 /usr/local/bin/python3}; do
    "$one" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || continue
    home=$("$one" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')
    case $home in
      /home/* | /root/* | /run/user/*) fail "$one lives in $home, which the service cannot see; set PYTHON to another." ;;
    esac
    echo "$one"
    return
  done
  fail "no Python 3.11 to 3.13 in /usr; install one, or set PYTHON."
}

make_venv() {
  python=$(find_python) || exit 1
  say "setting up $VENV with $python: a minute or two"
  [ -x "$VENV/bin/python" ] || "$python" -m venv "$VENV" || fail "$python has no venv; apt install python3-venv."
  awk '/^[^ ]/ { mine = /^uv==/ } mine' requirements.lock |
    "$VENV/bin/python" -m pip --disable-pip-version-check -qq install --require-hashes -r /dev/stdin
  "$VENV/bin/uv" --quiet --no-config pip sync --python "$VENV/bin/python" --require-hashes --compile-bytecode \
    requirements.lock || "$VENV/bin/python" -m pip -qq install --require-hashes -r requirements.lock
  "$VENV/bin/python" -m pip -qq install --no-deps --no-build-isolation --force-reinstall .
}

[ "$(id -u)" = 0 ] || fail "it writes to /opt, /etc and /var; run it as root."
command -v systemctl >/dev/null || fail "this machine has no systemd."
[ "${1:-}" = "" ] || [ "$1" = --keep-venv ] || fail "unknown option $1; it knows --keep-venv."
umask 022
mkdir -p "$HOME_DIR/docs"
install -m 644 docs/service.md "$HOME_DIR/docs/service.md"
[ "${1:-}" = --keep-venv ] || make_venv
[ -x "$VENV/bin/reliance-daemon" ] || fail "$VENV/bin/reliance-daemon is missing; run it without --keep-venv."

install -m 644 -D systemd/reliance-daemon.sysusers.conf /usr/lib/sysusers.d/reliance-daemon.conf
install -m 644 -D systemd/reliance-daemon.tmpfiles.conf /usr/lib/tmpfiles.d/reliance-daemon.conf
install -m 644 -D systemd/reliance-daemon.service /etc/systemd/system/reliance-daemon.service
systemd-sysusers reliance-daemon.conf
systemd-tmpfiles --create reliance-daemon.conf
ln -sf "$VENV/bin/reliance-daemon" /usr/local/bin/reliance-daemon
if [ ! -e "$ETC/config.toml" ]; then
  sed -e 's|^state_dir = .*|state_dir = "/var/lib/reliance-daemon"|' -e 's|^# folder = |folder = |' config.toml \
    >"$ETC/config.toml"
  say "wrote $ETC/config.toml: RELIANCE.NS from Yahoo; change what you like"
fi
chown root:reliance-daemon "$ETC/config.toml"
chmod 640 "$ETC/config.toml"
systemctl daemon-reload
say "done. systemctl enable --now reliance-daemon starts it now and at every boot."
! systemctl is-active --quiet reliance-daemon || say "it runs: systemctl restart reliance-daemon takes up what is new."
