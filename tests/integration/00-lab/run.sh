#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ground we stand on: the lab does what its table says, the oracle agrees with the table, and
# both are right about Postfix: given the answers they demand, it does what they say of the mail.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

ok "the lab does what the table says" "$LAB_DIR/selftest"
ok "table and oracle agree" "$LAB_DIR/oracle" --check
"$LAB_DIR/oracle" --debatable | sed 's/^/debatable: /'

"$LAB_DIR/answer" "$MAP" &
wait_for 20 accepts
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix
mapfile -t recipients < <("$LAB_DIR/mailed" recipients)
postfix_send "${recipients[@]}"
ok "every mail has a status" postfix_wait ${#recipients[@]} 90
ok "Postfix does what the table says" "$LAB_DIR/mailed" check "$MAILLOG"

# The same with main.cf's level "dane", where the oracle says what must happen.
postfix_set smtp_tls_security_level=dane smtp_tls_dane_insecure_mx_policy=dane
mapfile -t more < <("$LAB_DIR/mailed" --level dane recipients)
postfix_send "${more[@]}"
ok "every mail at dane has a status" postfix_wait $((${#recipients[@]} + ${#more[@]})) 90
ok "Postfix at dane does what the oracle says" "$LAB_DIR/mailed" --level dane check "$MAILLOG"
finish
