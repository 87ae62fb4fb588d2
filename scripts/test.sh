# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by ./dev: the stages of ./dev test.
#
# A stage is a function.  It runs in a shell of its own, its output is indented, and it tells what
# it did by calling `count PASSED FAILED`; one that counts nothing is one test.  A failing stage
# does not hide the later ones, except those that need its result; the end of what it said is said
# again at the very end, where a reader of a long record looks first.

# clang-format's output differs between releases: the tree is kept with that of Debian 12.
kClangFormatMajor=14
# Sanitized programs on a busy machine are this much slower; meson's own limit is 30 s a program.
kUnitPatience=10
kSanitizedPatience=40
# What a sanitized program ends with when it has something to report.
kSanitizerExit=99
# So much of a failed stage is repeated.  Each tells last what failed.
kRepeatedLines=60

stage_lines=()
total_passed=0
total_failed=0
broken=()
repeated=''

count() { printf '%d %d\n' "$1" "$2" >>"$STAGE_COUNTS"; }
# count_last_line: passes its input on and counts the last "N passed, N failed" in it.
count_last_line() {
  tee "$STAGE_COUNTS.output"
  local words
  words=$(grep -Eo '^[0-9]+ passed, [0-9]+ failed$' "$STAGE_COUNTS.output" | tail -n 1)
  if [ -n "$words" ]; then
    count "${words%% *}" "$(echo "$words" | cut -d' ' -f3)"
  else
    say "It ended without saying what passed."
    count 0 1
  fi
}

# stage NAME NEEDS FUNCTION [ARGUMENT...]: NEEDS is a stage that must not have failed, or -.
stage() {
  local name=$1 needs=$2 status=0 passed=0 failed=0 started=$SECONDS line
  shift 2
  printf '== %s\n' "$name"
  if [[ " ${broken[*]} " == *" $needs "* ]]; then
    say "   not run, since $needs failed"
    failed=1
  else
    STAGE_COUNTS=$(mktemp)
    export STAGE_COUNTS
    # Not under ||: that would switch off `set -e` inside.
    set +e
    (
      set -e
      "$@"
    ) </dev/null 2>&1 | sed -u 's/^/   /' | tee "$STAGE_COUNTS.said"
    status=${PIPESTATUS[0]}
    set -e
    [ -s "$STAGE_COUNTS" ] || [ "$status" -ne 0 ] || count 1 0
    read -r passed failed < <(awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }' "$STAGE_COUNTS")
    [ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
    [ "$failed" -eq 0 ] ||
      repeated+="== $name, its last lines"$'\n'$(tail -n "$kRepeatedLines" "$STAGE_COUNTS.said")$'\n'
    rm -f "$STAGE_COUNTS" "$STAGE_COUNTS.output" "$STAGE_COUNTS.said"
  fi
  [ "$failed" -eq 0 ] || broken+=("$name")
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  line=$(printf '%-18s %5d passed %4d failed %5d s' \
    "$name" "$passed" "$failed" $((SECONDS - started)))
  stage_lines+=("$line")
  printf -- '-- %s\n' "$line"
}

# Also where the clone belongs to somebody else, as in a container.
tracked() { git -c "safe.directory=$ROOT" -C "$ROOT" ls-files -z -- "$@"; }

# shell_programs: our tracked ones, by what their first lines say.
shell_programs() {
  tracked | xargs -0 awk '
    FNR <= 3 && (/^#!\/bin\/(ba)?sh/ || /^# shellcheck shell=/) { print FILENAME; nextfile }
    FNR > 3 { nextfile }'
}

# sources: what must say its licence.
sources() {
  {
    tracked '*.cc' '*.h' '*.py' '*.sh' '*meson.build' | tr '\0' '\n'
    tracked | xargs -0 awk 'FNR == 1 && /^#!/ { print FILENAME } { nextfile }'
  } | sort -u
}

stage_format() {
  local major bad=0 files file
  major=$(clang-format --version | sed -E 's/.*version ([0-9]+).*/\1/')
  if [ "$major" = "$kClangFormatMajor" ]; then
    mapfile -t -d '' files < <(tracked '*.cc' '*.h')
    clang-format --dry-run -Werror --style=file "${files[@]}"
    say "${#files[@]} sources are formatted as .clang-format says"
  else
    say "note: clang-format $major formats otherwise than $kClangFormatMajor: not compared"
  fi
  count 1 0
  mapfile -t files < <(sources)
  for file in "${files[@]}"; do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' && continue
    say "$file: no SPDX line"
    bad=$((bad + 1))
  done
  [ "$bad" -eq 0 ] || return 1
  say "${#files[@]} files say their licence"
  count 1 0
}

stage_layers() {
  tests/check-layers --self-check | count_last_line
  tests/check-layers | count_last_line
}

stage_shell() {
  local files
  mapfile -t files < <(shell_programs | grep -v '^tests/integration/')
  shellcheck -x "${files[@]}"
  say "${#files[@]} shell programs"
  # The cases set variables for the library that they find at run time.
  mapfile -t files < <(shell_programs | grep '^tests/integration/')
  shellcheck -x -e SC2034 "${files[@]}"
  say "${#files[@]} integration cases"
}

stage_build() {
  build_tree "$@"
}

# Programs whose data is not part of the project; without it they skip themselves.
kDataTests='^(vectors|corpus)$'

# test_programs DIR: their names; meson lists "project:suite / name" where there is a suite.
test_programs() { meson test -C "$1" --no-rebuild --list | sed 's|.* / ||'; }

# stage_unit DIR PATIENCE [EXCEPT]: a unit test has no reason to skip.  EXCEPT, a regular
# expression, names programs to leave out.
stage_unit() {
  local tests
  mapfile -t tests < <(test_programs "$1" | grep -vE "$kDataTests|${3:-^$}")
  [ -z "${3:-}" ] || say "left out: $3"
  run_meson "$1" "$2" "${tests[@]}" || return 1
  [ "$skipped" -eq 0 ] || count 0 "$skipped"
}

# stage_vectors DIR
stage_vectors() {
  local tests
  mapfile -t tests < <(test_programs "$1" | grep -E "$kDataTests")
  run_meson "$1" $kUnitPatience "${tests[@]}" || return 1
  [ "$skipped" -eq 0 ] ||
    say "note: $skipped skipped: their data is not here (tests/unit/policy/test_data.h)"
}

# run_meson DIR PATIENCE TEST...: sets `skipped`.
skipped=0
run_meson() {
  local dir=$1 patience=$2 status=0 counts passed failed
  shift 2
  [ $# -gt 0 ] || fail "no tests in $dir"
  "${launcher[@]}" meson test -C "$dir" --no-rebuild --print-errorlogs \
    --timeout-multiplier "$patience" "$@" || status=$?
  counts=$(scripts/count-tests "$dir/meson-logs/testlog.json")
  sed '$d' <<<"$counts"
  read -r passed failed skipped < <(tail -n 1 <<<"$counts")
  count "$passed" "$failed"
  return "$status"
}

stage_pages() {
  local page
  for page in man/*.[1-8]; do
    mandoc -T lint -W warning "$page"
    say "$page is clean"
    count 1 0
  done
  tests/check-pages --self-check | count_last_line
  tests/check-pages build | count_last_line
}

stage_packaging() {
  local sealaned spelled_out overrides
  sealaned=$(program build sealaned)
  "$sealaned" --check-config --config packaging/sealane.conf >/dev/null
  count 1 0
  # The default that each commented line names must be one that the option takes; and the examples
  # of overrides must be what they show.
  spelled_out=$(mktemp) overrides=$(mktemp)
  sed -E 's/^#([a-z.]+ +(postfix|dane|sts|observe))/\1/' packaging/overrides.example >"$overrides"
  sed -E "s/^#([a-z-]+ = )/\1/; s|^overrides = .*|overrides = $overrides|
    s|^table = .*|table = $PWD/packaging/access.example|" \
    packaging/sealane.conf >"$spelled_out"
  "$sealaned" --check-config --config "$spelled_out" | grep -cx -e "# $overrides: 5 overrides" \
    -e "# $PWD/packaging/access.example: 3 rules" | grep -qx 2
  rm -f "$spelled_out" "$overrides"
  count 1 0
  tests/check-unit build
  count 1 0
}

stage_lab() {
  tests/lab/lab run tests/lab/selftest | count_last_line
}

# What a developer sees first: the lab, a DANE domain and an MTA-STS domain.
stage_run() {
  local state answers
  state=$(mktemp -d)
  answers=$(./dev run --lab --once --state "$state" | tee /dev/stderr)
  rm -rf "$state"
  grep -qE '^dane-good.test +OK dane-only$' <<<"$answers"
  count 1 0
  grep -qE '^sts-good.unsigned +OK secure match=[a-z]' <<<"$answers"
  count 1 0
}

# stage_integration DIR [OPTION...]: options of tests/integration/run.
stage_integration() {
  "${launcher[@]}" tests/integration/run --build "$@" | count_last_line
}

# What programs are started through, if anything.
launcher=()
# Above this, g++ 12's TSan finds its memory taken where the kernel places things at random.
kMaxRandomBits=28

# A daemon that is some four times slower is asked fewer questions at a time (tests/lab/ask).
kSanitizedAsks=8

# sanitized DIR STAGE ARGUMENT...: the stage fails when any process left a sanitizer's report,
# a daemon in the background included.
sanitized() {
  local dir=$1 reports=$ROOT/$1/reports common status=0
  shift
  rm -rf "$reports"
  mkdir -m 1777 "$reports"
  common="exitcode=$kSanitizerExit:log_path=$reports/report"
  export SEALANE_ASKS_AT_ONCE=$kSanitizedAsks
  export ASAN_OPTIONS="$common:detect_stack_use_after_return=1:check_initialization_order=1"
  export UBSAN_OPTIONS="$common:print_stacktrace=1:halt_on_error=1"
  export TSAN_OPTIONS="$common:halt_on_error=0:second_deadlock_stack=1:suppressions=$ROOT/tests/tsan.supp"
  "$@" || status=$?
  if compgen -G "$reports/*" >/dev/null; then
    head -n 60 "$reports"/*
    count 0 "$(find "$reports" -type f | wc -l)"
    return 1
  fi
  return "$status"
}

# Not "function": it does not see through C callbacks.  Not "vptr": it opens a pipe to look at an
# object, and cries wolf in the test that leaves no descriptor to open.
kClangSanitizers=('-Db_sanitize=address,undefined' -Db_lundef=false -Doptimization=1
  "-Dcpp_args=['-fno-sanitize=function','-fno-sanitize=vptr']")

stages_asan() {
  CXX=clang++ stage build-asan - stage_build build-asan "${kClangSanitizers[@]}"
  stage unit-asan build-asan sanitized build-asan stage_unit build-asan $kSanitizedPatience
  stage integration-asan build-asan sanitized build-asan stage_integration build-asan
}

# A simulation in one thread: TSan has nothing to see there, and takes 20 minutes.
kOneThread='^year$'

stages_tsan() {
  [ "$(cat /proc/sys/vm/mmap_rnd_bits)" -le $kMaxRandomBits ] || launcher=(setarch "$(uname -m)" -R)
  stage build-tsan - stage_build build-tsan -Db_sanitize=thread -Db_lundef=false -Doptimization=1
  stage unit-tsan build-tsan sanitized build-tsan stage_unit build-tsan $kSanitizedPatience "$kOneThread"
  stage integration-tsan build-tsan sanitized build-tsan stage_integration build-tsan
  launcher=()
}

# Sees the tree as clang builds it for the sanitizers.
stage_tidy() {
  local files
  mapfile -t -d '' files < <(tracked 'src/*.cc')
  printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build-asan --quiet --warnings-as-errors='*'
  say "${#files[@]} sources"
}

dev_test() {
  local asan='' all='' started=$SECONDS
  case "${1:-}" in
    '') ;;
    --asan) asan=yes ;;
    --all) asan=yes all=yes ;;
    *) fail "test: unknown option $1" ;;
  esac
  need_packages build run test lab

  stage format - stage_format
  stage layers - stage_layers
  stage shell - stage_shell
  stage build - stage_build build
  stage pages build stage_pages
  stage packaging build stage_packaging
  stage unit build stage_unit build $kUnitPatience
  stage vectors build stage_vectors build
  stage lab - stage_lab
  stage run build stage_run
  stage integration build stage_integration build ${all:+--slow}
  [ -z "$asan" ] || stages_asan
  if [ -n "$all" ]; then
    stage tidy build-asan stage_tidy
    stages_tsan
  fi

  printf '\n%s' "$repeated"
  printf '   %s\n' "${stage_lines[@]}"
  printf '   in %d s on %d processors\n\n' $((SECONDS - started)) "$(nproc)"
  printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
  [ "$total_failed" -eq 0 ]
}
