# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A Postfix in a throw-away overlay of a root tree, inside the lab: the host's own, or that of
# POSTFIX_TREE.  To be sourced.
#
#   postfix_start SOCKET-DIRECTORY TABLES [PARAMETER=VALUE...]
#       TABLES as smtp_tls_policy_maps; the directory is /run/lab there
#   postfix_set PARAMETER=VALUE...          from now on
#   postfix_send ADDRESS...                 one message each
#   postfix_wait COUNT SECONDS              until so many recipients have a status in the log
# The log is $MAILLOG.

. "$HERE/tree.sh"

postfix_start() {
  POSTFIX_ROOT=$LAB_STATE/postfix/root MAILLOG=$LAB_STATE/postfix/root/var/log/maillog
  tree_mount "$LAB_STATE/postfix" "${POSTFIX_TREE:-/}" "$1" || return 1
  shift
  rm -f "$MAILLOG"
  postfix_configure "smtp_tls_policy_maps=$1" "${@:2}" > "$LAB_STATE/postfix.out" 2>&1 || {
    cat "$LAB_STATE/postfix.out" >&2
    return 1
  }
}

in_postfix() { chroot "$POSTFIX_ROOT" "$@"; }

postfix_configure() {
  # The host may have Postfix installed without a configuration.
  [ -f "$POSTFIX_ROOT/etc/postfix/main.cf" ] && rm "$POSTFIX_ROOT/etc/postfix/main.cf"
  printf 'compatibility_level = 3.6\n' > "$POSTFIX_ROOT/etc/postfix/main.cf"
  # smtp_tls_dane_insecure_mx_policy: the default of 3.7.11; later versions have another one.
  in_postfix postconf -e myhostname=client.lab.test mydestination= alias_maps= alias_database= \
    inet_interfaces=127.0.0.1 inet_protocols=all maillog_file=/var/log/maillog \
    smtputf8_enable=yes smtp_connection_cache_on_demand=no smtp_dns_support_level=dnssec \
    smtp_host_lookup=dns smtp_tls_security_level=may smtp_tls_CAfile=/etc/lab-ca.pem \
    smtp_tls_dane_insecure_mx_policy=may smtp_tls_loglevel=summary,certmatch "$@" &&
  in_postfix postconf -F '*/*/chroot=n' &&
  in_postfix postconf -M 'postlog/unix-dgram=postlog unix-dgram n - n - 1 postlogd' &&
  in_postfix rm -f /var/spool/postfix/pid/master.pid &&
  in_postfix postfix start && wait_for 30 test -S "$POSTFIX_ROOT/var/spool/postfix/public/pickup"
}

postfix_send() {
  local address
  for address in "$@"; do
    printf 'Subject: lab\n\nlab\n' | in_postfix sendmail -f '<>' "$address"
  done
}

# Recipients that have a status, each once.
postfix_done() { grep -o 'to=<[^>]*>.*status=' "$MAILLOG" | sed 's/>.*//' | sort -u | wc -l; }

postfix_has() { [ "$(postfix_done)" -ge "$1" ]; }

postfix_wait() { wait_for "$2" postfix_has "$1"; }

postfix_set() {
  in_postfix postconf -e "$@" && in_postfix postfix reload 2> "$LAB_STATE/reload.out"
}
