#!/usr/bin/env bash
# Installs the gateway or the VPS on this host: the executable, its systemd unit and the Debian packages that it calls.
# Starts nothing, overwrites no configuration, and may be repeated (that is an upgrade).
#
#   sudo deploy/install.sh gateway|vps [DIR]     DIR has executables made by deploy/publish.sh; without it they are built here
set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)
. "$repository/deploy/setup.sh"

part=${1:-}
case $part in
  gateway | vps) ;;
  *)
    printf 'usage: deploy/install.sh gateway|vps [DIR]\n' >&2
    exit 2
    ;;
esac
program=aggregator-$part
from=${2:-}
setup_root
[ -d /run/systemd/system ] || setup_fail "this host does not run systemd: start $program run by your own means"
setup_packages nftables iproute2

if [ -z "$from" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  "$repository/deploy/publish.sh" "$work" >/dev/null
  from=$work
fi
[ -x "$from/$program" ] || setup_fail "$from has no executable $program: make it with deploy/publish.sh $from"

# A running daemon keeps its old file until it is restarted.
install -m 755 "$from/$program" "/usr/local/bin/.$program.new"
mv -f "/usr/local/bin/.$program.new" "/usr/local/bin/$program"
install -m 644 "$repository/deploy/$program.service" "/etc/systemd/system/$program.service"
install -d -m 700 /etc/aggregator
systemctl daemon-reload

printf 'Installed %s and %s.service.\n' "/usr/local/bin/$program" "$program"
if systemctl is-active --quiet "$program"; then
  printf 'It runs with the version of before: systemctl restart %s\n' "$program"
elif [ "$part" = vps ]; then
  [ -e /etc/aggregator/vps.yaml ] || printf 'Next: aggregator-vps init --public THE-ADDRESS-OF-THIS-HOST\n'
  printf 'Then: systemctl enable --now aggregator-vps && aggregator-vps pair\n'
else
  install -m 600 "$repository/deploy/gateway.example.yaml" /etc/aggregator/gateway.yaml.example
  [ -e /etc/aggregator/gateway.yaml ] || printf 'Next: cp /etc/aggregator/gateway.yaml.example /etc/aggregator/gateway.yaml, and adapt it\n'
  printf "Then: aggregator-gateway pair 'aggregator://…' && systemctl enable --now aggregator-gateway\n"
fi
