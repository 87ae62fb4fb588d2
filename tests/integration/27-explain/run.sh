#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An explanation and the answer agree for every domain and dialect, as known and looked up again; a
# live look changes nothing; and no domain gets at the terminal or the JSON.
. "$(dirname "$0")/../lib.sh"
export LAB_DIR
CASE=$(dirname "$0")
OUT=$LAB_STATE/explained

tool() { python3 -B "$CASE/explain.py" "$@"; }
explain() { "$SEALANE" explain "$1" --admin "unix:$ADMIN" "${@:2}" > "$OUT" 2> "$OUT.err"; }
says() { grep -qE -- "$1" "$OUT"; }

start_daemon
ok "explained before anybody asked: explanations and answers agree" tool agree "$ADMIN" "$MAP" "$EXIM"
ok "looked up again: explanations and answers agree" tool agree "$ADMIN" "$MAP" "$EXIM" --live

# ---- one question, one command

ok "a domain with DANE is explained" explain dane-good.test
ok "the row is named" says '^  decision +row 9: dane-only \(for postfix\)$'
ok "the host is shown" says '^    10 mx\.dane-good\.test  DANE: 1 of 1 TLSA records'
ok "the record is shown" says '^        usable +3 1 1 [0-9a-f]{64}  DANE-EE SPKI SHA2-256$'
ok "the answer is shown" says '^    postfix, QUERY +OK dane-only  \('
explain mx-bogus.test
ok "why mail is held is told" says '^    row 24 +MX lookup for mx-bogus\.test failed \(SERVFAIL\)$'
explain sts-good.unsigned
ok "what follows the policy's end is told" says '^    at expiry +row 6: NOTFOUND, if no fetch'
explain dane-good.test --dialect requiretls
ok "one dialect alone" says 'for requiretls'
explain dane-good.test --dialect exim
ok "Exim's answer alone" says '^    exim +level=dane  \('
explain dane-good.test --dialect requiretls
fails "the other dialects are shown beside the one that was asked for" says '^    postfix, QUERY'
explain dane-good.test --json
ok "JSON can be had" python3 -m json.tool "$OUT" "$OUT.json"
explain dane-good.test --dialect qmail
is "unknown dialect: exit status" 2 $?
explain dane-good.test one-too-many
is "two keys: exit status" 2 $?

# ---- a live look shows what is different and changes nothing

explain time-id.unsigned
rezone time-id.unsigned '-_mta-sts' '+_mta-sts.time-id.unsigned. IN TXT "v=STSv1; id=2"'
behave body time-id.unsigned 'version: STSv1\nmode: none\nmax_age: 86400\n'
ok "a live look" explain time-id.unsigned --live
ok "the new policy is shown" says '^      live +mode none, max_age 86400, 0 mx, id 2$'
ok "the answer that would be is shown" says '^      live +NOTFOUND$'
like "the kept policy still rules" '^OK secure match=mx.time-id' "$(answer time-id.unsigned)"
like "it is kept in the store" 'mode: enforce' "$(sqlite3 -readonly "$STORE" \
  "SELECT policy_body FROM domains WHERE domain = 'time-id.unsigned'")"
fails "the log speaks of a policy that became weaker" \
  grep -q 'domain=time-id.unsigned .*weaker=yes' "$LOG"

# ---- hostile domains

hostile() {  # hostile KEY: text, JSON and terminal
  local key=$1 option
  for option in --json --live --dialect=postfix-tlsrpt; do
    ok "$key is explained ($option)" explain "$key" "$option"
    ok "$key: nothing gets through ($option)" tool harmless "$OUT"
  done
  explain "$key" --json --live
  ok "$key: JSON parses" python3 -m json.tool "$OUT" "$OUT.json"
  TERM=xterm tool terminal "$OUT.tty" "$SEALANE" explain "$key" --live --admin "unix:$ADMIN" \
    > "$LAB_STATE/tty.out"
  ok "$key: only colours reach the terminal" tool in-colour "$OUT.tty"
}

# Escape sequences: in TXT, in the policy, in what the policy host says, in the key.
rezone time-none.unsigned '+_mta-sts.time-none.unsigned. IN TXT "\027[2J\027]0;gone\007\155[31m\\"'
hostile time-none.unsigned
bidi='version: STSv1\nmode: enforce\nmx: mx.@\nmax_age: 604800\nx: \u202e\u2066\u061c \u202d\n'
behave body time-short.unsigned "${bidi/@/time-short.unsigned}"
hostile time-short.unsigned
explain time-short.unsigned
ok "the policy is in use" says '^  MTA-STS +S-ENF'
behave body sts-wildcard.unsigned 'version: STSv1\x1b[2J\nmode: \x9b31m\x07\nmx: \x7f\u202e\n'
hostile sts-wildcard.unsigned
hostile $'\e[2J\x9b31m\u202e.test'

# A TXT record of nearly 64 KiB, and as many MX records as a message can carry.
printf -v string '"\\027[31m%0250d" ' 0
printf -v long "%s" "$(for _ in {1..250}; do printf '%s' "$string"; done)"
rezone time-none.unsigned '-\sTXT\s' "+_mta-sts.time-none.unsigned. IN TXT $long"
is "the TXT record is there" 250 \
  "$(dig +tcp +short @127.0.0.1 _mta-sts.time-none.unsigned TXT | grep -o '" "\|"$' | wc -l)"
hostile time-none.unsigned
# (Unsigned: Unbound cannot check the signature of half as many.)
many=()
for i in {1..2300}; do many+=("+time-none.unsigned. IN MX $i m$i.test."); done
rezone time-none.unsigned "${many[@]}"
is "the MX records are there" 2301 "$(dig +tcp +short @127.0.0.1 time-none.unsigned MX | wc -l)"
told() { explain time-none.unsigned && says '2301 MX hosts, more than 50'; }
ok "their number is told" wait_for 15 told  # as soon as what is known of before is over
hostile time-none.unsigned

# Colours are for a terminal, and not for everybody.
NO_COLOR=1 TERM=xterm tool terminal "$OUT.tty" "$SEALANE" explain dane-good.test \
  --admin "unix:$ADMIN" > "$LAB_STATE/tty.out"
fails "NO_COLOR is not heard" tool in-colour "$OUT.tty"

stop_daemon TERM
explain dane-good.test
is "no daemon: exit status" 3 $?
finish
