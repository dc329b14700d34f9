#!/usr/bin/env bash
# Takes away what deploy/install.sh put on this host, and puts the host's network back.
# Configuration, keys and pairings stay, unless --purge.
#
#   sudo deploy/uninstall.sh gateway|vps [--purge]
set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)
. "$repository/deploy/setup.sh"

part=${1:-}
purge=${2:-}
case $part:$purge in
  gateway: | vps: | gateway:--purge | vps:--purge) ;;
  *)
    printf 'usage: deploy/uninstall.sh gateway|vps [--purge]\n' >&2
    exit 2
    ;;
esac
program=aggregator-$part
setup_root

if [ -e "/etc/systemd/system/$program.service" ]; then
  systemctl disable --now --quiet "$program" || setup_fail "$program.service could not be stopped: systemctl status $program"
fi
if [ "$part" = gateway ] && [ -x /usr/local/bin/aggregator-gateway ] && [ -e /etc/aggregator/gateway.yaml ]; then
  # Before its executable goes: routes, rules, tables and endpoints, also those of a crash.
  /usr/local/bin/aggregator-gateway down || setup_fail "the host's network is not put back; repeat: aggregator-gateway down"
fi
rm -f "/etc/systemd/system/$program.service" "/usr/local/bin/$program"
[ ! -d /run/systemd/system ] || systemctl daemon-reload

if [ "$purge" = --purge ]; then
  rm -rf "/var/lib/$program"
  rm -f "/etc/aggregator/$part.yaml" "/etc/aggregator/$part.yaml.example"
  rmdir /etc/aggregator 2>/dev/null || true
  printf 'Removed %s with its configuration, keys and pairings.\n' "$program"
else
  printf 'Removed %s. Its configuration and keys are kept in /etc/aggregator and /var/lib/%s.\n' "$program" "$program"
fi
