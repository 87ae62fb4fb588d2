#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Postfix 3.11 with smtp_requiretls_policy: mail that says REQUIRETLS (RFC 8689) goes out protected or
# comes back, and never comes back because we did not know.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

POSTFIX_TREE=$("$HERE/../trees/build" postfix-sid) || exit "$SKIP"
export POSTFIX_TREE
requiretls() {  # requiretls ADDRESS...: one message each
  local address
  for address in "$@"; do
    printf 'Subject: lab\n\nlab\n' | in_postfix sendmail -O requiretls=yes -f '<>' "$address"
  done
}
has_status() { grep -q "to=<$1>.*status=" "$MAILLOG"; }
status() { wait_for 60 has_status "$1"; grep "to=<$1>.*status=" "$MAILLOG" | head -n 1; }

start_daemon
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix-tlsrpt \
  "smtp_requiretls_policy=socketmap:unix:/run/lab/map:requiretls, opportunistic+starttls"
like "its version has REQUIRETLS" '^3\.(1[1-9]|[2-9][0-9])' "$(in_postfix postconf -h mail_version)"

# ---- protected
requiretls r@dane-good.test r@sts-good.unsigned r@dane-mismatch.test r@no-policy.test \
  r@no-policy.unsigned
like "DANE" 'status=sent' "$(status r@dane-good.test)"
like "MTA-STS" 'status=sent' "$(status r@sts-good.unsigned)"
like "the wrong key is known, and the mail comes back" 'dsn=5.7.10.*status=bounced' \
  "$(status r@dane-mismatch.test)"
like "nothing: the next item of main.cf decides, TLS" 'status=sent' "$(status r@no-policy.test)"
like "nothing, and no TLS" 'status=bounced' "$(status r@no-policy.unsigned)"

# ---- not known: every domain of the table for which we cannot tell
mapfile -t unknown < <("$LAB_DIR/oracle" --answered requiretls TEMP)
ok "the table has such domains" [ ${#unknown[@]} -gt 10 ]
requiretls "${unknown[@]/#/t@}"
for domain in "${unknown[@]}"; do
  like "$domain waits" 'status=deferred' "$(status "t@$domain")"
done

# ---- no daemon
stop_daemon TERM
requiretls later@dane-ta.test later@sts-wildcard.unsigned later@txt-upper.unsigned
for domain in dane-ta.test sts-wildcard.unsigned txt-upper.unsigned; do
  like "$domain waits for the daemon" 'status=deferred' "$(status "later@$domain")"
done
start_daemon
in_postfix postqueue -f
is_sent() { grep -q "to=<$1>.*status=sent" "$MAILLOG"; }
ok "and goes out then" wait_for 60 is_sent later@dane-ta.test
finish
