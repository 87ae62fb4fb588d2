# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by ./dev: installs the Debian packages that are missing, and nothing when none is.

kPackageList=$ROOT/packaging/build-packages.txt
kLabPackageList=$ROOT/tests/lab/packages.txt
kPolicyFile=/usr/sbin/policy-rc.d
# Another apt may be at work, as on a machine that has just been started.
kAptLockSeconds=300

# debian_release: 12 or 13, or a refusal.
debian_release() {
  local ID VERSION_ID
  # shellcheck source=/dev/null
  [ ! -r /etc/os-release ] || . /etc/os-release
  case $ID:$VERSION_ID in
    debian:12 | debian:13) echo "$VERSION_ID" ;;
    *) fail "this is ${ID:-no system known} ${VERSION_ID:-}: packages can be installed on Debian" \
        "12 and 13 only. Install what $kPackageList lists by hand, then set SEALANE_NO_APT=1." ;;
  esac
}

# packages_of RELEASE GROUP...: the names, one a line.  The group "lab" has its own list.
packages_of() {
  local release=$1 group
  shift
  for group; do
    if [ "$group" != lab ]; then
      awk -v group="$group" -v release="$release" \
        '$1 == group && ($3 == "" || $3 == release) { print $2 }' "$kPackageList"
    elif [ -r "$kLabPackageList" ]; then
      sed 's/#.*//' "$kLabPackageList" | awk 'NF { print $1 }'
    fi
  done | sort -u
}

# missing_of PACKAGE...: those that dpkg does not call installed.
missing_of() {
  comm -23 <(printf '%s\n' "$@" | sort -u) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
      awk '$1 == "installed" { print $2 }' | sort -u)
}

# need_packages GROUP...: returns when all are there.
need_packages() {
  [ -z "${SEALANE_NO_APT:-}" ] || return 0
  local release wanted missing
  release=$(debian_release)
  mapfile -t wanted < <(packages_of "$release" "$@")
  mapfile -t missing < <(missing_of "${wanted[@]}")
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# as_root COMMAND...
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

install_packages() {
  say "Installing: $*"
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    fail "these packages are missing, and neither are we root nor is there sudo. As root:" \
      "apt-get install $*"
  fi
  (
    # No service may start because of us: neither a mail server nor a resolver of the host.
    # A policy that exists is the host's own and stays.
    if [ ! -e "$kPolicyFile" ]; then
      trap 'as_root rm -f "$kPolicyFile"' EXIT
      printf '#!/bin/sh\nexit 101\n' | as_root tee "$kPolicyFile" >/dev/null
      as_root chmod 755 "$kPolicyFile"
    fi
    # Postfix asks for its kind of set-up; "No configuration" writes no main.cf.
    if [[ " $* " == *" postfix "* ]]; then
      echo 'postfix postfix/main_mailer_type select No configuration' |
        as_root debconf-set-selections
    fi
    as_root apt-get -q -o DPkg::Lock::Timeout=$kAptLockSeconds update </dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
      -o DPkg::Lock::Timeout=$kAptLockSeconds -o Dpkg::Use-Pty=0 install "$@" </dev/null
  ) || fail "apt could not install: $*"
}
