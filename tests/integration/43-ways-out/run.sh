#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One address family without a way out: the other one is used; whose fault it is; and a way that
# comes after the start.
. "$(dirname "$0")/../lib.sh"

FAR=2a00:1:2:3::4   # where nobody is
ROUTER=
# A policy host with that address besides its own, and one that has no other.
BOTH=sts-good.unsigned ONLY=policy-dot.unsigned

anew() {  # with nothing known
  stop_daemon TERM
  rm -f "$STORE"*
  start_daemon
}

# ---- IPv6 comes after the start: until then a host with IPv6 alone is ignored, as Postfix does
ip -6 route del default
start_daemon
is "no IPv6 yet" "NOTFOUND" "$(answer v6-only-dane.test)"
ip -6 route add default dev lo
becomes "IPv6 has come" 10 v6-only-dane.test '^OK dane-only *$'
ok "the log says so" logged 'event=families_changed families=any'

ok "IPv6 addresses" rezone "$BOTH" "+mta-sts.$BOTH. 300 IN AAAA $FAR"
ok "and nothing else" rezone "$ONLY" "-^mta-sts.*\\sA\\s" \
  "+mta-sts.$ONLY. 300 IN AAAA $FAR"

# ---- a filter on the way says "administratively prohibited" (ICMPv6): that is the other side
unshare -n sleep 1000 &
ROUTER=$!
routes() { nsenter -t "$ROUTER" -n "$@"; }
separate() { [ "$(readlink "/proc/$ROUTER/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
ok "a router" wait_for 10 separate
ip link add way0 type veth peer name way1
ip link set way1 netns "$ROUTER"
ip -6 address add fd00:8461::1/64 dev way0 nodad
ip link set way0 up
routes ip -6 address add fd00:8461::2/64 dev way1 nodad
routes ip link set way1 up
routes sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
routes ip -6 route add prohibit 2a00::/16
ip -6 route add 2a00::/16 via fd00:8461::2
anew
like "the filter's way is tried, and the other taken" '^OK secure ' "$(answer $BOTH)"
is "nobody else to ask: as if there were no policy" "NOTFOUND" "$(answer $ONLY)"
ok "and it was the filter" logged "domain=$ONLY .*connect: Permission denied"
ip -6 route del 2a00::/16
kill "$ROUTER"

# ---- the same words from our own machine: our own fault, but only if there is no other way
ip -6 route add prohibit 2a00::/16
anew
like "no route by IPv6" '^OK secure ' "$(answer $BOTH)"
like "no route at all" '^TEMP .*Permission denied' "$(answer $ONLY)"
ip -6 route del prohibit 2a00::/16

# ---- IPv6 switched off
for knob in all default; do echo 1 > /proc/sys/net/ipv6/conf/$knob/disable_ipv6; done
anew
like "IPv6 is off" '^OK secure ' "$(answer $BOTH)"
like "IPv6 is off, and there is nothing else" '^TEMP .*(assign|unreachable)' "$(answer $ONLY)"
finish
