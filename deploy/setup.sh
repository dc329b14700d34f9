#!/usr/bin/env bash
# Installs what is missing on Debian 12/13 or Ubuntu 24.04. Other scripts source it and call
#   setup_packages PACKAGE…    Debian packages; ends the script with one line when that fails
#   setup_dotnet               the .NET 10 SDK: puts `dotnet` on PATH, or ends the script with one line
# By itself: deploy/setup.sh PACKAGE… [dotnet]
# Quiet where there is nothing to do. Services of the packages are not started by their installation.

setup_fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

setup_root() {
  [ "$(id -u)" = 0 ] || setup_fail "this needs root (network namespaces): run it with sudo"
}

# Runs a command while Debian's rc policy (/usr/sbin/policy-rc.d, status 101) keeps packages from starting their services.
# A policy that is there already is the administrator's and stays.
setup_without_services() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  "$@"
)

setup_is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

setup_apt() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"
}

setup_install() {
  local log
  log=$(mktemp)
  # Package lists that are a day old may name files that are gone, so a failed installation is tried once more with fresh ones.
  if setup_without_services setup_apt install --no-install-recommends "$@" >"$log" 2>&1 ||
    { setup_apt update && setup_without_services setup_apt install --no-install-recommends "$@"; } >"$log" 2>&1; then
    rm -f "$log"
    return 0
  fi
  setup_reason=$(grep -m1 '^E: ' "$log" || tail -n1 "$log")
  rm -f "$log"
  return 1
}

setup_packages() {
  local package missing=()
  for package in "$@"; do
    setup_is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    setup_fail "missing: ${missing[*]}; this is not a Debian or Ubuntu system, install their equivalents by hand"
  [ "$(id -u)" = 0 ] || setup_fail "missing: ${missing[*]}; run as root, or: sudo apt-get install ${missing[*]}"
  printf 'Installing %s …\n' "${missing[*]}" >&2
  setup_install "${missing[@]}" || setup_fail "could not install ${missing[*]}: ${setup_reason#E: }"
}

setup_has_dotnet() {
  command -v dotnet >/dev/null && dotnet --list-sdks 2>/dev/null | grep -q '^10\.'
}

setup_dotnet() {
  local place
  export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false DOTNET_SKIP_WORKLOAD_INTEGRITY_CHECK=1
  setup_has_dotnet && return 0
  # sudo's PATH leaves out the places where an SDK is often unpacked.
  for place in "${DOTNET_ROOT:-}" /usr/share/dotnet /usr/lib/dotnet /usr/local/share/dotnet /opt/dotnet \
    "$HOME/.dotnet" "$([ -z "${SUDO_USER:-}" ] || getent passwd "$SUDO_USER" | cut -d: -f6)/.dotnet"; do
    if [ -n "$place" ] && [ -x "$place/dotnet" ] && "$place/dotnet" --list-sdks 2>/dev/null | grep -q '^10\.'; then
      export DOTNET_ROOT="$place" PATH="$place:$PATH"
      return 0
    fi
  done
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    printf 'Installing the .NET 10 SDK …\n' >&2
    if setup_install dotnet-sdk-10.0 && setup_has_dotnet; then
      return 0
    fi
  fi
  setup_fail "the .NET 10 SDK is missing and this system's package sources do not have it: see https://learn.microsoft.com/dotnet/core/install/linux (package dotnet-sdk-10.0)"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -eu
  packages=()
  for argument in "$@"; do
    [ "$argument" = dotnet ] || packages+=("$argument")
  done
  setup_packages "${packages[@]}"
  case " $* " in *' dotnet '*) setup_dotnet ;; esac
fi
