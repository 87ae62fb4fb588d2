#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same with main.cf's level "dane", known to the daemon: now "not found" means dane.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

DEFAULT_LEVEL=dane
start_daemon
# A policy that is known when the mail comes must not take the place of DANE.
printf '%s\n' dane-and-sts.test dane-not-in-policy.test > "$LAB_STATE/known"
ok "policies of two DANE domains are known beforehand" \
  "$SEALANE" cache warm "$LAB_STATE/known" --admin "unix:$ADMIN"
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix \
  smtp_tls_security_level=dane smtp_tls_dane_insecure_mx_policy=dane
mapfile -t recipients < <("$LAB_DIR/mailed" --level dane recipients)
postfix_send "${recipients[@]}"
ok "every mail has a status" postfix_wait ${#recipients[@]} 120
ok "Postfix does what the oracle says" "$LAB_DIR/mailed" --level dane check "$MAILLOG"
finish
