#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The real Postfix delivers to every domain of the table under our answers, or refuses to.
# The daemon is restarted half-way: Postfix keeps its connections and must not notice.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

start_daemon
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix
mapfile -t recipients < <("$LAB_DIR/mailed" recipients)
half=$((${#recipients[@]} / 2))

postfix_send "${recipients[@]:0:$half}"
ok "the first half has a status" postfix_wait $half 120
stop_daemon TERM
start_daemon
postfix_send "${recipients[@]:$half}"
ok "every mail has a status" postfix_wait ${#recipients[@]} 120
ok "Postfix does what the table says" "$LAB_DIR/mailed" check "$MAILLOG"
finish
