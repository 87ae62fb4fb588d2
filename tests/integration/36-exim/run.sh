#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Exim 4.96 of Debian 12 with our routers and transport: one mail for every domain of the table, and
# what must not happen when DNS is forged, STARTTLS is stripped, or the daemon is gone.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../exim.sh"

TREE=$("$HERE/../trees/build" "${EXIM_TREE:-exim-bookworm}") || exit "$SKIP"
exim_line() { python3 -B "$LAB_DIR/exim_line.py" "$@"; }
asked() { exim_line ask "$EXIM" "$@"; }
under_way() { "$SEALANE" status --admin "unix:$ADMIN" --json | grep -q '"under_way":[1-9]'; }
mail_to() {  # mail_to ADDRESS: what the log says of it
  exim_send "$1"
  grep -E " (=>|==|\*\*) ${1}:? " "$MAILLOG" | tail -n 1
}
reached() { grep "\"$1\"" "$LAB_STATE/smtp.log" | grep -o '"host": "[^"]*"' | tail -n 1; }
held() {  # held WHAT ADDRESS [PATTERN]
  like "$1: held" "== .*${3:-}" "$(mail_to "$2")"
  is "$1: nobody got the mail" "" "$(reached "$2")"
}
sent_to() {  # sent_to WHAT ADDRESS HOST
  like "$1: sent" "=> " "$(mail_to "$2")"
  is "$1: to whom" "\"host\": \"$3\"" "$(reached "$2")"
}

start_daemon

# ---- the line
ok "every domain's line is the oracle's" exim_line check "$EXIM"
like "over TCP" '^level=dane ttl=' "$(exim_line ask 127.0.0.1:8462 dane-good.test)"
like "an IDN as it stands in an address" '^level=dane ttl=' "$(asked bücher.test)"
like "TLS-Required: no" '^level=may ttl=' "$(asked dane-good.test tls-required=no)"
like "REQUIRETLS goes before it" '^level=dane ttl=' \
  "$(asked dane-good.test requiretls tls-required=no)"
like "a domain without a policy of its own" '^level=none ttl=' "$(asked '[127.0.0.1]')"
for junk in "" "a.test whatever" "a.test requiretls=yes" "$(printf 'a%.0s' {1..1200})" \
  "$(printf 'a%.0s' {1..60000})"; do
  # shellcheck disable=SC2086
  like "a request of ${#junk} octets that is none" '^level=temp reason="a request is ' \
    "$(asked $junk)"
done
stop_daemon TERM
rm -f "$STORE"*
start_daemon
exec 3<> /dev/tcp/127.0.0.1/8462
echo "exim policy-hangs-body.unsigned" >&3
ok "a question is under way" wait_for 10 under_way
stop_daemon TERM
is "the last answer of a daemon" 'level=temp reason="sealaned is shutting down"' "$(cat <&3)"
exec 3>&-
rm -f "$STORE"*
start_daemon

# ---- the table
ok "Exim starts" exim_start "$TREE"
mapfile -t recipients < <("$LAB_DIR/mailed" --dialect exim recipients)
exim_send "${recipients[@]}"
ok "Exim does what the oracle says" "$LAB_DIR/mailed" --dialect exim check "$MAILLOG"
fails "an MX that the policy does not name is never connected to" \
  grep -q "evil.sts-first-not-listed" "$MAILLOG"

# ---- somebody on the way
answers sts-good.unsigned
break_dns sts-good.unsigned MX forge 10 mx.no-policy.test.
held "a forged MX" forged@sts-good.unsigned "defer requested"
break_dns dane-good.test MX forge 10 mx.no-policy.test.
held "a forged MX of a signed zone" forged@dane-good.test
break_dns policy-dot.unsigned MX forge 10 mx.sts-good.example.
held "a forged MX with a certificate for another name" forged@policy-dot.unsigned
behave smtp mx.dane-ta.test plain
held "STARTTLS stripped under DANE" stripped@dane-ta.test "TLS session is required"
behave smtp mx.sts-good.example plain
held "STARTTLS stripped under MTA-STS" stripped@sts-good.example "TLS session is required"
behave smtp mx.dane-unusable.test plain
held "STARTTLS stripped with TLSA records of no use" stripped@dane-unusable.test \
  "TLS session is required"

# ---- testing mode
behave smtp mx.sts-testing.unsigned plain
sent_to "testing, and no STARTTLS" open@sts-testing.unsigned mx.sts-testing.unsigned
ok "it is logged" grep -q \
  "MTA-STS testing failure: domain=sts-testing.unsigned host=mx.sts-testing.unsigned .*verified=no" \
  "$MAILLOG"

# ---- two domains on one MX host: what one is allowed is no permit for the other
printf 'Subject: lab\n\nlab\n' | in_exim exim4 -odf -f '<>' both@no-policy-of-two.unsigned \
  both@policy-of-two.unsigned
like "without a policy: sent" "=> " "$(grep "both@no-policy-of-two.unsigned" "$MAILLOG")"
like "with a policy: held" "== .*certificate verification failed" \
  "$(grep "both@policy-of-two.unsigned" "$MAILLOG")"
is "the server got one of them" '["both@no-policy-of-two.unsigned"]' \
  "$(grep -o '\["both@[^]]*\]' "$LAB_STATE/smtp.log" | sort -u)"

# ---- cutthrough: the mail follows the verification on the same connection
cut_to() {  # cut_to ADDRESS: by SMTP, and then out of the queue
  printf '%s\r\n' 'EHLO client.lab.test' 'MAIL FROM:<>' "RCPT TO:<$1>" DATA 'Subject: lab' '' lab \
    . QUIT | in_exim exim4 -bs > "$LAB_STATE/cut.out"
  grep -E " (=>|>>|==|\*\*) ${1}:? " "$MAILLOG" | tail -n 1
}
ok "Exim starts with cutthrough" exim_start "$TREE"
sed -i -e 's/^acl_smtp_rcpt = .*/acl_smtp_rcpt = lab_rcpt/' \
  -e 's/^begin acl/&\nlab_rcpt:\n  accept control = cutthrough_delivery\n/' \
  "$EXIM_ROOT/etc/exim4/exim4.conf"
like "cutthrough: DANE" ">> .*T=sealane_smtp .*X=TLS" "$(cut_to cut@ta-cert.test)"
like "cutthrough: no policy" ">> " "$(cut_to cut@no-policy.test)"
for domain in dane-ta.test sts-good.example dane-unusable.test; do
  cut_to "cut@$domain" > "$LAB_STATE/cut.log"
  is "cutthrough: STARTTLS stripped at $domain: nobody got the mail" "" "$(reached "cut@$domain")"
done

# ---- answers that are none: cut short, empty, of somebody else
python3 -B "$HERE/36-exim/liar.py" "$SOCKETS/liar" &
wait_for 10 test -S "$SOCKETS/liar"
ok "Exim starts with a server that lies" exim_start "$TREE" 'SEALANE_SOCKET == /run/lab/liar'
for lie in empty cut-list cut-ttl no-ttl blank html temp; do
  echo $lie > "$SOCKETS/liar.lie"
  held "an answer that is $lie" "$lie@no-policy.test" "TLS policy: "
done
echo whole > "$SOCKETS/liar.lie"
sent_to "an answer that is whole" whole@no-policy.test mx.no-policy.test

# ---- Debian's split configuration, and TCP
ok "Exim starts with the split configuration" exim_start_split "$TREE" \
  'SEALANE_SOCKET == inet:127.0.0.1:8462'
like "split: DANE" "=> .*R=sealane_dnslookup T=sealane_smtp .*CV=dane" \
  "$(mail_to split@ta-cert.test)"
like "split: MTA-STS" "=> .*CV=yes" "$(mail_to split@sts-wildcard.unsigned)"

# ---- without the daemon nothing goes out, not even what nobody protects; and then it does
stop_daemon TERM
held "no daemon, DANE" later@ta-cert.test
held "no daemon, MTA-STS" later@sts-wildcard.unsigned
held "no daemon, no policy" later@no-policy.test
start_daemon
exim_queue
is "the queue after that" "" "$(in_exim exim4 -bpr | grep later@)"
is "no policy: delivered later" '"host": "mx.no-policy.test"' "$(reached later@no-policy.test)"
finish
