#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ground we stand on: the lab does what its table says, and the table is right about Postfix:
# given the answers the table demands, the real Postfix does what the table's mail lines say.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

ok "the lab does what the table says" "$LAB_DIR/selftest"

"$LAB_DIR/answer" "$MAP" &
wait_for 10 accepts
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix
mapfile -t recipients < <("$LAB_DIR/mailed" recipients)
postfix_send "${recipients[@]}"
ok "every mail has a status" postfix_wait ${#recipients[@]} 60
ok "Postfix does what the table says" "$LAB_DIR/mailed" check "$MAILLOG"
finish
