#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Postfix 3.10 of Debian 13 with the dialect postfix-tlsrpt: it enforces MX patterns, and its
# TLSRPT datagrams carry our words.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

POSTFIX_TREE=$("$HERE/../trees/build" postfix-trixie) || exit "$SKIP"
REPORTS=$LAB_STATE/reports
python3 -B "$HERE/35-postfix-tlsrpt/reports.py" listen "$SOCKETS/tlsrpt" "$REPORTS" &
start_daemon
ok "the collector listens" wait_for 10 test -S "$SOCKETS/tlsrpt"
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix-tlsrpt \
  smtp_tlsrpt_enable=yes smtp_tlsrpt_socket_name=/run/lab/tlsrpt
like "its version enforces MX patterns" '^3\.(10\.([5-9]|[1-9][0-9])|1[1-9])' \
  "$(in_postfix postconf -h mail_version)"
mapfile -t recipients < <("$LAB_DIR/mailed" --dialect postfix-tlsrpt recipients)
postfix_send "${recipients[@]}"
ok "every mail has a status" postfix_wait ${#recipients[@]} 120
ok "Postfix does what the oracle says" "$LAB_DIR/mailed" --dialect postfix-tlsrpt check "$MAILLOG"
export PYTHONPATH=$LAB_DIR
ok "the datagrams carry our words" \
  python3 -B "$HERE/35-postfix-tlsrpt/reports.py" check "$REPORTS"

# The pattern, not the certificate, keeps a foreign MX out: the attacker shows the right one.
ok "a foreign MX was skipped by its name" \
  grep -q "evil.sts-first-not-listed.unsigned.*does not match STS MX pattern" "$MAILLOG"
finish
