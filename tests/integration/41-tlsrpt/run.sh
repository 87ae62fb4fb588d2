#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What Postfix cannot report, Sealane does, to the same collector: once, in the library's octets,
# and never what Postfix reports.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

POSTFIX_TREE=$("$HERE/../trees/build" postfix-trixie) || exit "$SKIP"
export PYTHONPATH=$LAB_DIR
COLLECTOR=$SOCKETS/tlsrpt REPORTS=$LAB_STATE/reports CHANGED=$LAB_STATE/records LISTENER=
: > "$REPORTS"
: > "$CHANGED"

listen() {
  rm -f "$COLLECTOR"
  python3 -B "$HERE/35-postfix-tlsrpt/reports.py" listen "$COLLECTOR" "$REPORTS" &
  LISTENER=$!
  ok "the collector listens" wait_for 10 test -S "$COLLECTOR"
}
sts_reports() { python3 -B "$HERE/41-tlsrpt/datagrams.py" sts "$REPORTS"; }
reported() { grep -q "\"d\": \"$1\"" "$REPORTS"; }
compare() { python3 -B "$HERE/41-tlsrpt/datagrams.py" compare "$REPORTS" "$1" "$CHANGED"; }
counter() {
  "$SEALANE" status --json --admin "unix:$ADMIN" > "$LAB_STATE/status"
  python3 -c 'import json, sys; print(json.load(sys.stdin)["tlsrpt"][sys.argv[1]])' "$1" \
    < "$LAB_STATE/status"
}
counts() { [ "$(counter "$1")" -ge "$2" ]; }
# record DOMAIN TEXT RECORD: its TLSRPT record from now on, as it reads and as a zone file has it.
record() {
  echo "$1 $2" >> "$CHANGED"
  rezone "$1" "+_smtp._tls.$1. IN TXT $3"
}

write_config "$CONFIG"
printf '[tlsrpt]\nsocket = unix:%s\n' "$COLLECTOR" >> "$CONFIG"
mx='mx: other.sts-testing-foreign.unsigned\nmx: *.away.test\n'
note='x-note: "caf\u00e9" \\ {1} / \u2603\n'   # what JSON, UTF-8 and Postfix treat on their own
behave body sts-testing-foreign.unsigned \
  "version: STSv1\\nmode: testing\\n${mx}max_age: 604800\\n$note"
listen
start_daemon
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix \
  smtp_tlsrpt_enable=yes smtp_tlsrpt_socket_name=/run/lab/tlsrpt

# ---- a host out of reach is reported only if another was reached before: it may be our own network
answers sts-good.unsigned

# ---- one mail to each: what failed is reported once, what did not is not
HTML=policy-html.unsigned   # fails, and has no TLSRPT record
recipients=()
for domain in policy-404 policy-refused policy-expired policy-syntax policy-html \
  sts-testing-foreign sts-testing sts-good; do
  recipients+=("a@$domain.unsigned")
done
postfix_send "${recipients[@]}"
ok "every mail has a status" postfix_wait ${#recipients[@]} 60
expected_reports='policy-404.unsigned 301
policy-expired.unsigned 303
policy-refused.unsigned 301
policy-syntax.unsigned 302
sts-testing-foreign.unsigned 205 205'
all_there() { [ "$(sts_reports | wc -l)" -ge 5 ]; }
ok "the reports arrive" wait_for 10 all_there
is "each failure is reported once, testing too, an enforced policy never" \
  "$expected_reports" "$(sts_reports)"
for recipient in "${recipients[@]}"; do
  [ "$recipient" = "a@$HTML" ] && continue
  ok "Postfix reports its session with ${recipient#*@}" wait_for 10 \
    grep -q "^{\"d\": \"${recipient#*@}\".*\"policy-type\":9," "$REPORTS"
done
fails "without a TLSRPT record nothing is reported" reported "$HTML"
ok "that is counted" counts unwanted 1

# ---- answers from memory, in whatever form they are asked for, report nothing
for domain in policy-404 policy-refused policy-expired policy-syntax; do
  answers "$domain.unsigned"
  is "$domain.unsigned:25" "NOTFOUND" "$(answer "$domain.unsigned:25")"
  is "$domain, for REQUIRETLS" "NOTFOUND" "$(answer "$domain.unsigned" requiretls)"
done
answers sts-testing-foreign.unsigned
is "nothing is reported twice" "$expected_reports" "$(sts_reports)"

# ---- octet for octet as the library
record policy-big.unsigned 'v=TLSRPTv1;rua=mailto:"a\b"@reports.test,https://r.test/?a=b&c=<d>' \
  '"v=TLSRPTv1;rua=mailto:\"a\\b\"@reports.test," "https://r.test/?a=b&c=<d>"'
answers policy-big.unsigned
ok "a record with odd characters" wait_for 10 reported policy-big.unsigned
LIBRARY=$(echo "$POSTFIX_TREE"/usr/lib/*/libtlsrpt.so.0)
ok "ours are those of libtlsrpt in Debian 13" compare "$LIBRARY"
if tree=$("$HERE/../trees/build" postfix-sid 2> "$LAB_STATE/sid"); then
  ok "and of the one in Debian unstable" compare "$(echo "$tree"/usr/lib/*/libtlsrpt.so.0)"
fi

# ---- records that ask for nothing
record policy-redirect.unsigned - '"v=TLSRPTv1; rua=mailto:a@reports.test"'
rezone policy-redirect.unsigned \
  '+_smtp._tls.policy-redirect.unsigned. IN TXT "v=TLSRPTv1; rua=mailto:b@reports.test"'
record policy-cn-only.unsigned - '"v=TLSRPTv1; rua=mailto:\027[2J\010@reports.test"'
before=$(counter unwanted)
answers policy-redirect.unsigned
answers policy-cn-only.unsigned
ok "two records, and control characters" wait_for 10 counts unwanted $((before + 2))
fails "two records" reported policy-redirect.unsigned
fails "control characters" reported policy-cn-only.unsigned

# ---- people are no mail
record policy-no-address.unsigned - '"v=TLSRPTv1; rua=mailto:a@reports.test"'
"$SEALANE" query policy-no-address.unsigned --admin "unix:$ADMIN" > "$LAB_STATE/query"
like "a person asks" NOTFOUND "$(cat "$LAB_STATE/query")"
fails "and nothing is reported" wait_for 2 reported policy-no-address.unsigned

# ---- with the policy in hand Postfix reports testing itself
ok "the other map" postfix_set smtp_tls_policy_maps=socketmap:unix:/run/lab/map:postfix-tlsrpt
sts_reports > "$LAB_STATE/before"
postfix_send b@sts-testing-foreign.unsigned b@policy-404.unsigned
ok "both have a status" postfix_wait $((${#recipients[@]} + 2)) 60
more() { [ "$(sts_reports | wc -l)" -gt "$(wc -l < "$LAB_STATE/before")" ]; }
ok "a session under the policy" wait_for 10 more
is "is reported by Postfix alone" "sts-testing-foreign.unsigned" \
  "$(sts_reports | diff "$LAB_STATE/before" - | sed -n 's/^> //p')"

# ---- no collector: the same answers, and one line in the log
kill "$LISTENER"
rm -f "$COLLECTOR"
for domain in policy-wrong-name policy-self-signed; do
  record "$domain.unsigned" - '"v=TLSRPTv1; rua=mailto:a@reports.test"'
  answers "$domain.unsigned"
done
ok "what nobody takes is counted" wait_for 10 counts failed 2
is "and logged once" 1 "$(grep -c 'event=tlsrpt_collector_fails' "$LOG")"
like "status says so" 'reports +6 sent, [0-9]+ not wanted, 2 dropped' \
  "$("$SEALANE" status --admin "unix:$ADMIN")"
is "and why" "$COLLECTOR: No such file or directory" "$(counter problem)"
listen
record policy-redirect.unsigned - '"v=TLSRPTv1; rua=mailto:a@reports.test"'
finish
