# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A Sendmail in a throw-away overlay of a root tree, inside the lab.  To be sourced.
#
#   sendmail_start TREE           with packaging/sendmail/sts.mc.example; the map is /run/lab/map there
#   sendmail_send ADDRESS...      one message each, delivered in the foreground
#   sendmail_queue                a run through the queue
# The log is $MAILLOG.

. "$HERE/tree.sh"

in_sendmail() { chroot "$SENDMAIL_ROOT" "$@"; }

sendmail_start() {
  SENDMAIL_ROOT=$LAB_STATE/sendmail/root MAILLOG=$LAB_STATE/sendmail.log
  tree_mount "$LAB_STATE/sendmail" "$1" "$SOCKETS" || return 1
  python3 -B "$HERE/39-sendmail/devlog.py" "$SENDMAIL_ROOT/dev/log" "$MAILLOG" &
  wait_for 10 test -S "$SENDMAIL_ROOT/dev/log" || return 1
  mkdir -p "$SENDMAIL_ROOT/etc/labca"
  cp "$LAB_CA" "$SENDMAIL_ROOT/etc/labca/$(openssl x509 -hash -noout -in "$LAB_CA").0"
  cat - "$HERE/../../packaging/sendmail/sts.mc.example" << 'END' > "$SENDMAIL_ROOT/etc/mail/lab.mc"
define(`_USE_ETC_MAIL_')dnl
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
define(`confDOMAIN_NAME', `client.lab.test')dnl
define(`confCACERT', `/etc/lab-ca.pem')dnl
define(`confCACERT_PATH', `/etc/labca')dnl
define(`confLOG_LEVEL', `15')dnl
define(`confMAX_QUEUE_CHILDREN', `0')dnl
FEATURE(`nocanonify')dnl
END
  echo 'MAILER(`smtp'"'"')dnl' >> "$SENDMAIL_ROOT/etc/mail/lab.mc"
  sed -i 's|inet:8461@127.0.0.1|unix:/run/lab/map|' "$SENDMAIL_ROOT/etc/mail/lab.mc"
  in_sendmail m4 /etc/mail/lab.mc > "$SENDMAIL_ROOT/etc/mail/lab.cf" 2> "$LAB_STATE/m4.err"
}

sendmail_send() {
  local address
  for address in "$@"; do
    printf 'Subject: lab\n\nlab\n' | in_sendmail sendmail -C /etc/mail/lab.cf -Am -odi -oi \
      -f 's@client.lab.test' "$address" > "$LAB_STATE/sendmail.out" 2>&1
  done
}

sendmail_queue() { in_sendmail sendmail -C /etc/mail/lab.cf -Am -q -v > "$LAB_STATE/queue.out" 2>&1; }
