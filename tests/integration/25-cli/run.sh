#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sealane query shows what Postfix would get, and its exit status tells OK, NOTFOUND, TEMP apart.
. "$(dirname "$0")/../lib.sh"

query() { "$SEALANE" query "$1" --admin "unix:$ADMIN" "${@:2}" 2> "$LAB_STATE/query.err"; }
shows() {  # shows STATUS KEY [DIALECT]
  local output status
  output=$(query "$2" --dialect "${3:-postfix}")
  status=$?
  is "$2 (${3:-postfix}): exit status" "$1" $status
  is "$2 (${3:-postfix}): what Postfix gets" "$(answer "$2" "${3:-postfix}" | sed 's/ $//')" "$output"
}

start_daemon
shows 0 dane-good.test
shows 0 sts-good.unsigned postfix-tlsrpt
shows 0 bücher.test
shows 1 no-policy.test
shows 1 .dane-good.test
shows 3 mx-bogus.test
is "without --dialect" "OK dane-only" "$(query dane-good.test)"
query dane-good.test --nonsense
is "wrong usage: exit status" 2 $?

# Help is an answer, not an error; for the verb that was meant.
for verb in query explain status events cache export lint override doctor; do
  help=$("$SEALANE" $verb --help 2> "$LAB_STATE/help.err")
  is "$verb --help: exit status" 0 $?
  like "$verb --help" "^[Uu]sage: sealane $verb" "$help"
  is "$verb --help: nothing on standard error" "" "$(cat "$LAB_STATE/help.err")"
done

# Without a daemon nobody knows: that must not look like an answer.
stop_daemon TERM
query dane-good.test
unlike "no daemon: exit status" '^[01]$' $?
ok "no daemon: the socket is named" grep -qF "$ADMIN" "$LAB_STATE/query.err"

policy_of() { sed -n "/^domain $1 /,/^\$/s/^body //p" "$LAB_DIR/table.txt"; }
lint() { printf '%b' "$(policy_of "$1" | sed "s/@/$1/")" | "$SEALANE" lint sts-policy - --json; }
ok "a valid policy" test "$(lint policy-dot.unsigned | grep -c '"valid": *true')" = 1
ok "an invalid policy" test "$(lint policy-syntax.unsigned | grep -c '"valid": *false')" = 1
finish
