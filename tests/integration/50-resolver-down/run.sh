#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Without its resolver the daemon knows nothing: it says TEMP with a reason, never NOTFOUND.
. "$(dirname "$0")/../lib.sh"

keys=(dane-good.example sts-good.unsigned no-policy.test no-policy.unsigned nowhere.test
  null-mx.test implicit.unsigned "[mx.dane-good.test]")
ask_all() {  # all keys at once; ANSWERS[key]
  local key
  for key in "${keys[@]}"; do answer "$key" > "$LAB_STATE/answer.$key" & pids[${#pids[@]}]=$!; done
  wait "${pids[@]}"
}
pids=()

start_daemon
answers dane-and-sts.test   # its records, and its answer, may be kept
resolver stop
unlike "a domain asked before" '^NOTFOUND' "$(answer dane-and-sts.test)"
ask_all
for key in "${keys[@]}"; do
  like "$key without a resolver" '^TEMP [^ ]' "$(cat "$LAB_STATE/answer.$key")"
done

# Errors are remembered for half a minute, then for a minute: patience.
right() { [ "$(expected "$1")" = "$(answer "$1" | sed 's/ *$//')" ]; }
resolver start
for key in "${keys[@]}"; do
  ok "$key is right when the resolver is back" wait_for 100 right "$key"
done
finish
