# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by ./dev: meson and ninja.

# build_tree DIR [MESON-OPTION...]: configures DIR once, then builds what changed.
# CXX in the environment chooses the compiler at the first configuration.
build_tree() {
  local dir=$1
  shift
  if [ ! -f "$dir/build.ninja" ]; then
    meson setup "$dir" "$@" || return 1
  fi
  # As many as there are processors, not two more: a source takes up to 1 GB.
  ninja -C "$dir" -j "$(nproc)"
}

# program DIR NAME: where meson put it.
program() {
  local path
  for path in "$1/src/$2" "$1/$2"; do
    [ ! -x "$path" ] || {
      realpath "$path"
      return 0
    }
  done
  return 1
}
