#!/bin/sh
# Takes the service and the program away. Configuration, database, models, logs and user stay: it says where they are.
set -eu
[ "$(id -u)" = 0 ] || { echo "uninstall.sh: run it as root." >&2; exit 1; }
systemctl disable --now reliance-daemon 2>/dev/null || true
rm -f /etc/systemd/system/reliance-daemon.service /usr/lib/sysusers.d/reliance-daemon.conf
rm -f /usr/lib/tmpfiles.d/reliance-daemon.conf
[ "$(readlink /usr/local/bin/reliance-daemon)" != /opt/reliance-daemon/venv/bin/reliance-daemon ] ||
  rm -f /usr/local/bin/reliance-daemon
rm -rf /opt/reliance-daemon /var/cache/reliance-daemon
systemctl daemon-reload
echo "uninstall.sh: done. These stay, with all that the daemon ever decided: /etc/reliance-daemon" \
  "/var/lib/reliance-daemon /var/log/reliance-daemon; the user too: userdel reliance-daemon."
