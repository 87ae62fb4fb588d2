# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by ./dev: meson and ninja.

# configure_tree DIR [MESON-OPTION...]: once.  CXX in the environment chooses the compiler.
configure_tree() {
  [ -f "$1/build.ninja" ] || meson setup "$@"
}

# build_targets DIR [TARGET...]: builds what changed; all, without a target.
build_targets() {
  local dir=$1
  shift
  # As many at a time as there are processors, not two more: a source takes up to 1 GB.
  ninja -C "$dir" -j "$(nproc)" "$@"
}

# build_tree DIR [MESON-OPTION...]
build_tree() {
  configure_tree "$@" && build_targets "$1"
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
