#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Somebody on the way forges MX records, strips STARTTLS, keeps hosts away, or forges the denial of
# all we go by.  No mail may reach a server that the receiver did not mean, or go in the clear.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

mail_to() {  # mail_to ADDRESS: the log's last line about it, and which server got it
  rm -f "$MAILLOG.before" && cp "$MAILLOG" "$MAILLOG.before"
  postfix_send "$1"
  wait_for 60 has_status "$1"
  grep "to=<$1>.*status=" "$MAILLOG" | tail -n 1
}
has_status() { grep -q "to=<$1>.*status=" "$MAILLOG"; }
reached() { grep "\"$1\"" "$LAB_STATE/smtp.log" | grep -o '"host": "[^"]*"' | tail -n 1; }
held() {  # held WHAT ADDRESS
  like "$1: held" 'status=deferred' "$(mail_to "$2")"
  is "$1: nobody got the mail" "" "$(reached "$2")"
}
sent_to() {  # sent_to WHAT ADDRESS HOST
  like "$1: sent" 'status=sent' "$(mail_to "$2")"
  is "$1: to whom" "\"host\": \"$3\"" "$(reached "$2")"
}

start_daemon
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix
# First contact before the attack: that is what the cache is for.
answers sts-good.unsigned
answers sts-one-good.unsigned
answers policy-dot.unsigned
stop_daemon TERM
start_daemon

# A forged MX: with a policy the attacker's certificate does not fit; without, nothing was promised.
break_dns sts-good.unsigned MX forge 10 mx.no-policy.test.
held "a forged MX with a policy" forged@sts-good.unsigned
break_dns implicit.unsigned MX forge 10 mx.no-policy.test.
sent_to "a forged MX without a policy" forged@implicit.unsigned mx.no-policy.test
break_dns dane-good.test MX forge 10 mx.no-policy.test.
held "a forged MX of a signed zone" forged@dane-good.test
# The attacker has a certificate of the CA, for its own name.
break_dns policy-dot.unsigned MX forge 10 mx.sts-good.example.
held "a forged MX with a certificate for another name" forged@policy-dot.unsigned

# STARTTLS stripped at the server's door.
behave smtp mx.dane-ta.test plain
held "STARTTLS stripped under DANE" stripped@dane-ta.test
behave smtp mx.sts-good.example plain
held "STARTTLS stripped under MTA-STS" stripped@sts-good.example
behave smtp mx.dane-unusable.test plain
held "STARTTLS stripped with TLSA records of no use" stripped@dane-unusable.test
behave smtp mx.sts-testing.unsigned plain
sent_to "STARTTLS stripped in testing mode" stripped@sts-testing.unsigned mx.sts-testing.unsigned

# The good host is kept away; what is left is not to be trusted with the mail.
behave smtp mx3.sts-one-good.unsigned down
held "the good host kept away" away@sts-one-good.unsigned
behave smtp mx1.partial-sts.test down
held "the host with DANE kept away under a policy" away@partial-sts.test

# Denials: of the TXT record of a policy we hold, of the whole domain, of TLSA records.
break_dns _mta-sts.sts-wrong-cert.unsigned TXT nxdomain
sent_to "the TXT record denied at first contact: nothing known" \
  denied@sts-wrong-cert.unsigned mx.sts-wrong-cert.unsigned
break_dns _25._tcp.mx.dane-mismatch.test TLSA nxdomain
break_dns _25._tcp.mx.dane-mismatch.test A nxdomain
held "TLSA records denied without proof" denied@dane-mismatch.test
break_dns _25._tcp.mx.dane-no-starttls.test TLSA strip
held "TLSA records without their signatures" denied@dane-no-starttls.test
finish
