#!/usr/bin/env bash
# Shows Aggregator on this machine alone: a home with three unequal internet lines, a rented server and the internet, emulated in
# network namespaces. Measures each line, then all together, then pulls a plug in the middle of a download.
#
#   sudo deploy/demo.sh           stays up afterwards for you to play with, until Ctrl-C
#   sudo deploy/demo.sh --once    ends by itself; exit status 0 when everything worked
set -u
repository=$(cd "$(dirname "$0")/.." && pwd)
. "$repository/deploy/setup.sh"

once=false
case $#:${1:-} in
  0:) ;;
  1:--once) once=true ;;
  *)
    printf 'usage: sudo deploy/demo.sh [--once]\n' >&2
    exit 2
    ;;
esac

# name, Mbit/s down, Mbit/s up, delay in ms one way, what else netlab shall do to it
lines=(
  "fibre 100 40 6  -"
  "cable  50 20 12 -"
  "lte    30 15 25 jitter=3"
)
seconds=4 # of each measurement, at the rate that the lines promise

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' dim='' green='' red='' plain=''
fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
say() { printf '  %s\n' "$*"; }
good() { printf '  %s✓%s %s\n' "$green" "$plain" "$*"; }
bad() { printf '  %s✗%s %s\n' "$red" "$plain" "$*"; }

work='' lab=''
started=() # process ids, in the order of their start

clean_up() {
  local status=$? index id log
  trap '' INT TERM HUP
  trap - EXIT
  if [ "$status" -ne 0 ] && [ "$status" -ne 130 ] && [ -n "$work" ]; then
    for log in "$work"/*.log; do
      [ -s "$log" ] || continue
      printf '\n--- the last lines of %s\n' "${log##*/}" >&2
      tail -n 15 "$log" >&2
    done
  fi
  for ((index = ${#started[@]} - 1; index >= 0; index--)); do
    id=${started[index]}
    kill -TERM "$id" 2>/dev/null || continue
    for _ in $(seq 100); do
      kill -0 "$id" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$id" 2>/dev/null
    wait "$id" 2>/dev/null
  done
  if [ -n "$work" ]; then
    # Normally finds nothing: netlab takes its namespaces away as it ends.
    [ ! -x "$work/netlab/netlab" ] || "$work/netlab/netlab" clean >/dev/null 2>&1
    rm -rf "$work"
  fi
  exit "$status"
}

give_up() {
  bad "$*"
  exit 1
}

# Runs a command until it succeeds: what, seconds, command…
wait_until() {
  local what=$1 limit=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$limit" ] || give_up "$what: not within the time it may take"
    sleep 0.2
  done
}

start() { # log's name, command…
  local log=$work/$1.log
  shift
  "$@" >>"$log" 2>&1 </dev/null &
  started+=("$!")
}

in_client() { ip netns exec "$client_ns" "$@"; }
in_gateway() { ip netns exec "$gateway_ns" "$@"; }
gatewayctl() { in_gateway "$work/bin/aggregator-gateway" "$@" --config "$work/gateway.yaml"; }
vpsctl() { ip netns exec "$vps_ns" "$work/bin/aggregator-vps" "$@" --config "$work/vps.yaml"; }

is_connected() { [ "$(gatewayctl status --json | jq -r .node.state)" = connected ]; }
link_is() { # name, jq condition on the link
  gatewayctl status --json | jq -e --arg name "$1" ".links[] | select(.name == \$name) | $2"
}

# Prints Mbit/s through the gateway's SOCKS proxy: down|up, bytes
measure() {
  local result
  if [ "$1" = down ]; then
    result=$(in_client curl -sS --fail -o /dev/null --max-time 60 --socks5-hostname "$lan:1080" -w '%{size_download} %{time_total}' \
      "http://$internet:8080/bytes/$2" 2>>"$work/curl.log") || return 1
  else
    result=$(head -c "$2" /dev/zero | in_client curl -sS --fail -o /dev/null --max-time 60 --socks5-hostname "$lan:1080" \
      -H "Content-Length: $2" -H 'Transfer-Encoding:' -T - -w '%{size_upload} %{time_total}' "http://$internet:8080/upload" 2>>"$work/curl.log") || return 1
  fi
  awk -v expected="$2" '{ if ($1 != expected || $2 <= 0) exit 1; printf "%.1f", $1 * 8 / $2 / 1e6 }' <<<"$result"
}

size() { echo $(($1 * 1000000 / 8 * seconds)); } # bytes, from Mbit/s

setup_root
printf '%sAggregator%s: several internet lines, one connection.\n' "$bold" "$plain"
setup_packages iproute2 nftables curl jq python3 procps
setup_dotnet

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work=$(mktemp -d)
chmod 700 "$work"
# The compilers leave empty directories behind in the place for temporary files.
export TMPDIR="$work/tmp"
mkdir "$TMPDIR"

title 'Building'
"$repository/deploy/publish.sh" --framework-dependent "$work/bin" >"$work/build.log" 2>&1 || give_up 'the build failed'
dotnet build "$repository/tests/Lab" -c Release -v quiet -nologo -nodeReuse:false -p:UseSharedCompilation=false \
  --artifacts-path "$work/artifacts" -o "$work/netlab" >>"$work/build.log" 2>&1 || give_up 'the build of the emulated network failed'
rm -rf "$work/artifacts" "$work/build.log"
good "$("$work/bin/aggregator-gateway" --version), $("$work/bin/aggregator-vps" --version)"

title 'The network'
wans=()
for line in "${lines[@]}"; do
  read -r name down up delay more <<<"$line"
  wans+=(--wan "name=$name,down=$down,up=$up,delay=$delay$([ "$more" = - ] || printf ',%s' "$more")")
done
start netlab "$work/netlab/netlab" up --json "${wans[@]}"
wait_until 'the emulated network' 30 grep -q '^{' "$work/netlab.log"
grep -m1 '^{' "$work/netlab.log" >"$work/lab.json"
lab=$(jq -r .id "$work/lab.json")
host() { jq -r --arg role "$1" ".hosts[] | select(.role == \$role) | .$2" "$work/lab.json"; }
client_ns=$(host client namespace) gateway_ns=$(host gw namespace) vps_ns=$(host vps namespace) internet_ns=$(host inet namespace)
lan=$(host gw address) vps_address=$(host vps address) internet=$(host inet address)

cat <<PICTURE

    client ── home gateway ═╦═ fibre ═╗
                            ╠═ cable ═╬══ rented server ── internet
                            ╚═ lte   ═╝
PICTURE
printf '\n  %-8s %10s %10s %12s\n' line down up 'round trip'
total_down=0 total_up=0
for line in "${lines[@]}"; do
  read -r name down up delay more <<<"$line"
  printf '  %-8s %5s Mbit/s %3s Mbit/s %6s ms %s\n' "$name" "$down" "$up" "$((2 * delay))" "$([ "$more" = - ] || printf '%s%s%s' "$dim" "$more" "$plain")"
  total_down=$((total_down + down)) total_up=$((total_up + up))
done

title 'Starting'
head -c 60000000 /dev/urandom >"$work/file"
checksum=$(sha256sum <"$work/file")
start server ip netns exec "$internet_ns" /usr/bin/python3 "$repository/deploy/demo-server.py" "$internet" 8080 "$work/file"
mkdir -m 700 "$work/vps" "$work/gateway"
cat >"$work/vps.yaml" <<YAML
listen: "[::]:7443"
public: [$vps_address]
egress:
  allow: [10.50.0.0/24]    # the emulated internet
state: $work/vps
api: $work/vps/api.sock
YAML
{
  printf 'lan: [lan0]\nwans:\n'
  jq -r '.wans[] | "  - interface: \(.interface)\n    name: \(.name)"' "$work/lab.json"
  cat <<YAML
ingress:
  transparent: true
  socks: $lan:1080
  http: $lan:3128
state: $work/gateway
api: $work/gateway/api.sock
YAML
} >"$work/gateway.yaml"

start vps ip netns exec "$vps_ns" "$work/bin/aggregator-vps" run --config "$work/vps.yaml"
wait_until 'the VPS' 60 vpsctl status
good 'the VPS runs'
link=$(vpsctl pair --name home 2>>"$work/vps-pair.log") || give_up 'aggregator-vps pair'
gatewayctl pair "$link" >"$work/pair.log" 2>&1 || give_up 'aggregator-gateway pair'
good "paired with one line: ${link%%code=*}code=…"
start gateway ip netns exec "$gateway_ns" "$work/bin/aggregator-gateway" run --config "$work/gateway.yaml"
wait_until 'the gateway' 60 is_connected
good 'the gateway runs and is connected'

failures=0
title 'Each line alone, then all together'
for line in "${lines[@]}"; do
  name=${line%% *}
  wait_until "$name up" 15 link_is "$name" '.state == "up"'
done
gatewayctl speedtest --duration "${seconds}s" --json >"$work/speed.json" 2>>"$work/speed.log" || give_up "$(tail -n 1 "$work/speed.log")"
jq -r 'def mbps: if . == null then "?" else (. * 10 | round / 10 | tostring) end;
  (.links[] | [.name + " alone", (.down_mbps | mbps), (.up_mbps | mbps), .error // ""]),
  ["all together", (.bonded.down_mbps | mbps), (.bonded.up_mbps | mbps), ""] | @tsv' "$work/speed.json" |
  while IFS=$'\t' read -r what down up error; do
    printf '  %-18s %7s Mbit/s down %7s Mbit/s up  %s\n' "$what" "$down" "$up" "$error"
  done
jq -e '[.links[] | select(.error != null)] | length == 0' "$work/speed.json" >/dev/null || failures=$((failures + 1))
say "$dim$(jq -r 'def percent: if . == null then "?" else (. * 100 | round | tostring) end;
  "\(.bonded.efficiency_down | percent) % of the sum down, \(.bonded.efficiency_up | percent) % up. \(.verdict // .bonded.verdict // "")"' "$work/speed.json")$plain"

title "The same through the gateway's SOCKS proxy, one curl each way"
all_down=$(measure down "$(size "$total_down")") || give_up 'the download over all lines broke'
all_up=$(measure up "$(size "$total_up")") || give_up 'the upload over all lines broke'
good "$all_down Mbit/s down, $all_up Mbit/s up"

# A download from the client's own network settings, without any proxy: seconds, or failure.
download() {
  in_client curl -sS --fail -o "$work/got" --max-time 120 -w '%{time_total}' "http://$internet:8080/file" 2>>"$work/curl.log"
}
verify() {
  [ "$(sha256sum <"$work/got")" = "$checksum" ]
}

title 'A client that knows nothing of it downloads 60 MB'
if took=$(download) && verify; then
  good "complete in $took s ($(awk "BEGIN { printf \"%.1f\", 480 / $took }") Mbit/s), checksum equal"
else
  bad 'the download failed'
  failures=$((failures + 1))
fi
rm -f "$work/got"

title 'Again, and one second into it the cable of "fibre" is pulled'
(
  sleep 1
  "$work/netlab/netlab" set "$lab" fibre carrier=off && touch "$work/pulled"
) >>"$work/netlab-set.log" 2>&1 &
puller=$!
if took=$(download) && in_time=$([ -e "$work/pulled" ] && echo yes || echo no) && verify; then
  if [ "$in_time" = yes ]; then
    good "complete in $took s, checksum equal: the connection lived on over the other lines"
  else
    bad "complete in $took s, but the cable was pulled too late to show anything"
    failures=$((failures + 1))
  fi
else
  bad 'the download did not survive'
  failures=$((failures + 1))
fi
wait "$puller" || give_up 'netlab set'
rm -f "$work/got"
wait_until 'fibre seen as down' 10 link_is fibre '.state == "down"'
"$work/netlab/netlab" set "$lab" fibre carrier=on >>"$work/netlab-set.log" 2>&1 || give_up 'netlab set'
wait_until 'fibre back' 15 link_is fibre '.state == "up"'
good 'plugged in again: fibre is back'

title 'Status'
gatewayctl status | sed 's/^/  /'

[ "$failures" -eq 0 ] || exit 1
if [ "$once" = true ]; then
  title 'Done. Nothing is left behind.'
  exit 0
fi

title 'It stays up until Ctrl-C. In another terminal, as root:'
cat <<HINTS
  ip netns exec $client_ns curl -o /dev/null http://$internet:8080/bytes/500000000
  ip netns exec $gateway_ns $work/bin/aggregator-gateway status --watch --config $work/gateway.yaml
  $work/netlab/netlab set $lab fibre blackhole=on      a line goes silent (off: it is back)
HINTS
while kill -0 "${started[0]}" 2>/dev/null; do
  sleep 1
done
give_up 'the emulated network ended'
