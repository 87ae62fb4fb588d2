# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by ./dev: how fast, at what cost, and does a flood of the unknown delay the known; and the
# same with a million policies.

kBenchPrograms=(load echo baredns policyhost)

dev_bench() {
  local options=() what=run
  if [ "${1:-}" = store ]; then
    what=store
    shift
  fi
  while [ $# -gt 0 ]; do
    case $1 in
      --quick)
        [ $what = run ] || fail "bench store: no --quick"
        options+=(--quick)
        ;;
      --only)
        [ $what = run ] || fail "bench store: no --only"
        [ $# -gt 1 ] || fail "bench: --only needs a part: hits, flood, cold"
        options+=(--only "$2")
        shift
        ;;
      --json)
        [ $# -gt 1 ] || fail "bench: --json needs a file"
        options+=(--json "$(from_caller "$2")")
        shift
        ;;
      *) fail "bench: unknown option $1" ;;
    esac
    shift
  done
  need_packages build lab
  [ -f build/build.ninja ] || meson setup build
  # Not the tests: nothing of them is measured.
  ninja -C build -j "$(nproc)" src/sealaned "${kBenchPrograms[@]/#/tests/bench/bench-}"
  exec tests/lab/lab run "tests/bench/$what" --build build "${options[@]}"
}
