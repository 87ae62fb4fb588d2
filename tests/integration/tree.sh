# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A throw-away overlay of a root tree, inside the lab, for MTAs that want a system of their own.  To
# be sourced.
#
#   tree_mount DIRECTORY TREE SOCKETS    DIRECTORY/root is an overlay of TREE, SOCKETS is /run/lab
#                                        there, /etc/resolv.conf and /etc/lab-ca.pem are the lab's

tree_mount() {
  local work=$1 tree=$2 sockets=$3 root=$1/root node
  if [ "$(awk '{ n += $3 } END { print n }' /proc/self/uid_map)" = 1 ]; then
    echo "a mail server needs real root: it runs under several user ids" >&2
    return 1
  fi
  mkdir -p "$work" && mount -t tmpfs tmpfs "$work" && mkdir "$work"/{up,work,root}
  mount -t overlay overlay "$root" -o "lowerdir=$tree,upperdir=$work/up,workdir=$work/work"
  mkdir -p "$root/dev" && mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  ln -s /proc/self/fd "$root/dev/fd"
  for node in null zero full random urandom tty; do
    : > "$root/dev/$node" && mount --bind "/dev/$node" "$root/dev/$node"
  done
  mkdir -p "$root/proc" && mount -t proc proc "$root/proc"
  mkdir -p "$root/run/lab" && mount --bind "$sockets" "$root/run/lab"
  rm -f "$root/etc/resolv.conf" && cp /etc/resolv.conf "$root/etc/resolv.conf"
  cp "$LAB_CA" "$root/etc/lab-ca.pem" && chmod 644 "$root/etc/lab-ca.pem"
  mkdir -p "$root/tmp" "$root/var/log"
}
