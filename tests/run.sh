#!/usr/bin/env bash
# Sets itself up, builds everything once (warnings are errors), runs every test project and sums up in one last line.
# Namespaces that an earlier run left behind are removed first, and this run's at the end, also when it is interrupted.
#
#   sudo tests/run.sh [ARGUMENT…]     further arguments go to `dotnet test`, e.g. --filter FullyQualifiedName~Relay
set -u
repository=$(cd "$(dirname "$0")/.." && pwd)
. "$repository/deploy/setup.sh"
cd "$repository" || exit 1

setup_root
setup_packages nftables iproute2 iputils-ping conntrack mptcpize iperf3 curl python3 python3-grpcio python3-grpc-tools proxychains4 procps python3-socks dnsmasq-base bind9-dnsutils wireguard-go wireguard-tools
setup_dotnet

work=$(mktemp -d)
results=$work/results
# Compilers and tests leave what they leave in here.
export TMPDIR=$work/tmp
mkdir "$results" "$TMPDIR"
netlab="$repository/tests/Lab/bin/Release/net10.0/netlab"
# Only the namespaces of labs whose owner is gone: somebody else's lab on this host stays.
sweep() {
  [ ! -x "$netlab" ] || "$netlab" clean
}
clean_up() {
  sweep
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# No build server and no worker process outlives this script.
if ! dotnet build Aggregator.sln -c Release -nologo -v quiet -nodeReuse:false -p:UseSharedCompilation=false; then
  printf '0 passed, 0 failed, 0 skipped: the build failed\n'
  exit 1
fi
sweep

# run_project NAME RESULTS ARGUMENT…: a hanging test is named and ended, so that the rest still runs.
run_project() {
  local name=$1 file=$2
  shift 2
  dotnet test "tests/$name/bin/Release/net10.0/Aggregator.$name.dll" --nologo \
    --logger "trx;LogFileName=$file.trx" --results-directory "$results" \
    --blame-hang-timeout 5m --blame-hang-dump-type none "$@"
}

broken=()
for project in tests/*.Tests; do
  name=${project#tests/}
  printf '\n== %s\n' "$name"
  run_project "$name" "$name" "$@" || broken+=("$name")
done

# Tests with real kernels, daemons and clocks share this host with whatever else it does. A few that failed are run once more, by themselves, and named in the
# end whatever comes of it: what passes only then is a race to look for, not a reason to hold back the rest.
readonly most_again=3
again=()
[ ${#broken[@]} -eq 0 ] || mapfile -t again < <(
  for name in "${broken[@]}"; do
    grep -h '<UnitTestResult ' "$results/$name.trx" 2>/dev/null | grep 'outcome="Failed"' | sed -n "s/.* testName=\"\([^\"(]*\).*/$name \1/p"
  done | sort -u)
second=()
if [ ${#again[@]} -gt 0 ] && [ ${#again[@]} -le $most_again ]; then
  for name in "${broken[@]}"; do
    filter=$(printf '%s\n' "${again[@]}" | sed -n "s/^$name /FullyQualifiedName=/p" | paste -sd '|')
    # A run that broke off without a failed test stays broken.
    [ -n "$filter" ] || continue
    printf '\n== %s, once more: %s\n' "$name" "$filter"
    if run_project "$name" "again-$name" --filter "$filter" && grep -q 'outcome="Passed"' "$results/again-$name.trx"; then
      second+=("$name")
    fi
  done
fi

passed=0 failed=0 skipped=0
for file in "$results"/*.trx; do
  [ -e "$file" ] || continue
  case $file in */again-*) continue ;; esac
  counters=$(grep -o '<Counters [^>]*' "$file")
  count() { sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p" <<<"$counters"; }
  total=$(count total) good=$(count passed) bad=$(($(count failed) + $(count error) + $(count timeout) + $(count aborted)))
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + total - good - bad))
done

printf '\n'
if [ ${#broken[@]} -gt 0 ] && [ ${#second[@]} -eq ${#broken[@]} ]; then
  # Each of them passed when it was run again: they are passed, and named.
  printf 'Passed only the second time: %s\n' "${again[@]#* }"
  passed=$((passed + failed)) failed=0 broken=()
fi
[ ${#broken[@]} -eq 0 ] || printf 'Not passed: %s\n' "${broken[*]}"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ ${#broken[@]} -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
