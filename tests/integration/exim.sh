# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# An Exim in a throw-away overlay of a root tree, inside the lab.  To be sourced.
#
#   exim_start TREE [MACRO=VALUE...]     prepares it with our single-file example and the macros
#   exim_start_split TREE [MACRO=VALUE...]    the same with Debian's split configuration
#   exim_send ADDRESS...                 one message each, delivered in the foreground
#   exim_queue                           a run through the queue, retry times or not
# The log is $MAILLOG, the socket is /run/lab/exim there.

. "$HERE/tree.sh"
PACKAGED=$HERE/../../packaging/exim
EXIM_AT_ONCE=12   # deliveries at a time; most of them wait

in_exim() { chroot "$EXIM_ROOT" "$@"; }

exim_tree() {
  EXIM_ROOT=$LAB_STATE/exim/root MAILLOG=$LAB_STATE/exim/root/var/log/exim4/mainlog
  mountpoint -q "$LAB_STATE/exim" && umount -R "$LAB_STATE/exim"
  tree_mount "$LAB_STATE/exim" "$1" "$SOCKETS" || return 1
  cp -r "$PACKAGED/conf.d" "$EXIM_ROOT/etc/exim4/"
  mkdir -p "$EXIM_ROOT/var/log/exim4" && in_exim chown Debian-exim /var/log/exim4
  rm -f "$MAILLOG"
}

# The lab is on 127/8, which Exim takes for the host itself.
exim_macros() {
  printf '%s\n' 'SEALANE_SOCKET = /run/lab/exim' 'SEALANE_TRUST = /etc/lab-ca.pem' \
    'SEALANE_IGNORE_NETS = 0.0.0.0' 'SEALANE_ROUTER_OPTION = self = send' \
    'SEALANE_TRANSPORT_OPTION = allow_localhost' "$@"
}

# Retried at once: Exim would make a domain wait for what another one met at the same server.
exim_start() {
  exim_tree "$1" || return 1
  shift
  { exim_macros "$@"; echo 'primary_hostname = client.lab.test'
    sed "s/^begin retry/&\n*  *  F,1h,1s/" "$PACKAGED/exim4.conf.example"; } > "$EXIM_ROOT/etc/exim4/exim4.conf"
  in_exim exim4 -bV > "$LAB_STATE/exim.out" 2>&1 || { cat "$LAB_STATE/exim.out" >&2; return 1; }
}

exim_start_split() {
  exim_tree "$1" || return 1
  shift
  exim_macros "$@" > "$EXIM_ROOT/etc/exim4/conf.d/main/000_localmacros"
  echo 'client.lab.test' > "$EXIM_ROOT/etc/mailname"
  sed -i "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='internet'/
    s/^dc_use_split_config=.*/dc_use_split_config='true'/" \
    "$EXIM_ROOT/etc/exim4/update-exim4.conf.conf"
  in_exim sh -c 'update-exim4.conf && exim4 -bV' > "$LAB_STATE/exim.out" 2>&1 ||
    { cat "$LAB_STATE/exim.out" >&2; return 1; }
}

exim_send() {
  export EXIM_ROOT
  # shellcheck disable=SC2016
  printf '%s\n' "$@" | xargs -P $EXIM_AT_ONCE -I '{}' sh -c \
    'printf "Subject: lab\n\nlab\n" | chroot "$EXIM_ROOT" exim4 -odf -f "<>" "$1"' exim '{}'
}

exim_queue() { in_exim exim4 -qff; }
