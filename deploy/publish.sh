#!/usr/bin/env bash
# Puts the executables aggregator-gateway and aggregator-vps for this machine's architecture into a directory.
#
#   deploy/publish.sh DIR                       one file each, needs no .NET on the machine it runs on (about 125 MB each)
#   deploy/publish.sh --framework-dependent DIR small and quickly built, needs the ASP.NET Core 10 runtime there
#
# Where the runtime packs cannot be restored, the first falls back to the second and says so.
set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)
. "$repository/deploy/setup.sh"

self_contained=true
if [ "${1:-}" = --framework-dependent ]; then
  self_contained=false
  shift
fi
if [ $# -ne 1 ] || [ -z "$1" ] || [ "${1#-}" != "$1" ]; then
  printf 'usage: deploy/publish.sh [--framework-dependent] DIR\n' >&2
  exit 2
fi
case $(uname -m) in
  x86_64) rid=linux-x64 ;;
  aarch64) rid=linux-arm64 ;;
  *) setup_fail "no executables for $(uname -m): x86_64 and aarch64 are supported" ;;
esac
setup_dotnet

mkdir -p "$1"
target=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The compilers leave empty directories behind in the place for temporary files.
export TMPDIR="$work/tmp"
mkdir "$TMPDIR"

# Runtime identifiers add entries to lock files: this build has copies of its own, so that the committed ones stay as they are.
mkdir "$work/locks"
for project in Shared Gateway Vps; do
  cp "$repository/src/$project/packages.lock.json" "$work/locks/$project.packages.lock.json"
done

publish() { # true|false: self-contained?
  local project
  for project in Vps Gateway; do
    dotnet publish "$repository/src/$project" -c Release -r "$rid" --self-contained "$1" -v quiet -nologo \
      -nodeReuse:false -p:UseSharedCompilation=false --artifacts-path "$work/artifacts" -o "$work/out" \
      -p:PublishSingleFile=true -p:PublishReadyToRun=true -p:DebugType=none \
      -p:RestoreLockedMode=false -p:PublishLocks="$work/locks" >"$work/log" 2>&1 || return 1
  done
}

if ! publish "$self_contained"; then
  if [ "$self_contained" = true ] && grep -q 'NU1[0-9]*' "$work/log"; then
    printf 'The runtime packs cannot be restored here; the executables will need the ASP.NET Core 10 runtime.\n' >&2
    self_contained=false
  fi
  if [ "$self_contained" = true ] || ! publish false; then
    cat "$work/log" >&2
    setup_fail "the build failed (its messages are above)"
  fi
fi

for program in aggregator-gateway aggregator-vps; do
  install -m 755 "$work/out/$program" "$target/.$program.new"
  mv -f "$target/.$program.new" "$target/$program"
done
printf '%s\n' "$target/aggregator-gateway" "$target/aggregator-vps"
