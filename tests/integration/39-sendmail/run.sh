#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sendmail 8.18 of Debian 13 with FEATURE(sts): MTA-STS as we say it, DANE as Sendmail does it.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../sendmail.sh"

TREE=$("$HERE/../trees/build" sendmail-trixie) || exit "$SKIP"
mail_to() {  # mail_to ADDRESS: what the log says of it
  sendmail_send "$1"
  grep "to=$1, .*stat=" "$MAILLOG" | tail -n 1
}
reached() { grep "\"$1\"" "$LAB_STATE/smtp.log" | grep -o '"host": "[^"]*"' | tail -n 1; }
sent() {  # sent WHAT ADDRESS
  like "$1: sent" 'stat=Sent' "$(mail_to "$2")"
  unlike "$1: somebody got it" '^$' "$(reached "$2")"
}
held() {  # held WHAT ADDRESS [PATTERN]
  like "$1: held" "stat=Deferred.*${3:-}" "$(mail_to "$2")"
  is "$1: nobody got the mail" "" "$(reached "$2")"
}

start_daemon
ok "Sendmail starts" sendmail_start "$TREE"
like "its build has the feature" '_FFR_MTA_STS' \
  "$(in_sendmail sendmail -C /etc/mail/lab.cf -d0.13 -bv root < /dev/null 2>&1)"

# ---- the bytes, as Sendmail asks for them
is "the answer's bytes" '56:OK secure match=mx.sts-good.unsigned servername=hostname,' \
  "$(printf '21:sts sts-good.unsigned,' | python3 -B "$HERE/39-sendmail/raw.py" "$MAP")"

sent "MTA-STS" a@sts-good.unsigned
sent "a wildcard" a@sts-wildcard.unsigned
sent "DANE" a@dane-good.test
sent "nothing" a@no-policy.test
sent "testing" a@sts-testing.unsigned
held "a certificate of another name" a@policy-of-two.unsigned
sent "without a policy the same server" a@no-policy-of-two.unsigned
held "no STARTTLS under MTA-STS" a@starttls-refused-sts.unsigned
held "the wrong key" a@dane-mismatch.test
held "not known" a@policy-hangs.unsigned
answers sts-good.unsigned
break_dns sts-good.unsigned MX forge 10 mx.no-policy.test.
held "a forged MX" forged@sts-good.unsigned

stop_daemon TERM
held "no daemon, MTA-STS" later@sts-wildcard.unsigned
start_daemon
sendmail_queue
is "delivered later" '"host": "mx.sts-wildcard.unsigned"' "$(reached later@sts-wildcard.unsigned)"
finish
