#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Postfix whose own resolver does not validate: DANE as a list of keys (postfix-pins).  The daemon
# has a validating one.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

mail_to() {  # mail_to ADDRESS: the log's last line about it
  postfix_send "$1"
  wait_for 60 has_status "$1"
  grep "to=<$1>.*status=" "$MAILLOG" | tail -n 1
}
has_status() { grep -q "to=<$1>.*status=" "$MAILLOG"; }
sent() { like "$1" 'status=sent' "$(mail_to "$2")"; }
held() { like "$1" "status=deferred.*${3:-}" "$(mail_to "$2")"; }
asks() { /usr/bin/python3 -B -c 'import sys, dns.flags, dns.resolver as r
q = r.Resolver(configure=False); q.nameservers = [sys.argv[1]]; q.use_edns(0, 0x8000, 1232)
a = q.resolve("dane-good.test", "MX"); print("AD" if a.response.flags & dns.flags.AD else "no AD")' "$1"; }

# The second resolver: the lab's, on another address, without a trust anchor.
sed "s|interface: 127.0.0.1|interface: 127.0.0.6|; /trust-anchor-file/d; s|unbound\.|unbound-2.|
  s|\"validator iterator\"|\"iterator\"|" "$LAB_STATE/unbound.conf" > "$LAB_STATE/unbound-2.conf"
unbound -d -c "$LAB_STATE/unbound-2.conf" &
resolves() { [ "$(asks "$1" 2> "$LAB_STATE/asks.err")" = "$2" ]; }
ok "the daemon's resolver validates" wait_for 20 resolves 127.0.0.1 AD
ok "Postfix's resolver does not" wait_for 20 resolves 127.0.0.6 "no AD"

start_daemon
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix-pins \
  smtp_tls_fingerprint_digest=sha256 smtp_dns_support_level=enabled
printf 'nameserver 127.0.0.6\noptions edns0 trust-ad\n' > "$POSTFIX_ROOT/etc/resolv.conf"
mkdir -p "$POSTFIX_ROOT/var/spool/postfix/etc"
cp "$POSTFIX_ROOT/etc/resolv.conf" "$POSTFIX_ROOT/var/spool/postfix/etc/resolv.conf"

mapfile -t recipients < <("$LAB_DIR/mailed" --dialect postfix-pins recipients)
postfix_send "${recipients[@]}"
ok "every mail has a status" postfix_wait ${#recipients[@]} 200
ok "Postfix does what the oracle says" "$LAB_DIR/mailed" --dialect postfix-pins check "$MAILLOG"

# ---- a key is replaced: both records, then the mail server, then the old record goes
digest=$(answer dane-good.test postfix-pins | sed 's/.*match=\([0-9a-f]*\).*/\1/')
new=$(printf '%064d' 7)
sent "before a roll-over" one@dane-good.test
rezone dane-good.test "+_25._tcp.mx.dane-good.test. IN TLSA 3 1 1 $new"
stop_daemon TERM
start_daemon
is "both keys are told" "OK fingerprint match=$(printf '%s\n' "$digest" "$new" | sort | paste -sd '|') \
servername=hostname" "$(answer dane-good.test postfix-pins)"
sent "the old key beside the new one" two@dane-good.test
rezone dane-good.test "-TLSA.*${digest:0:16}"
stop_daemon TERM
start_daemon
is "the new key alone" "OK fingerprint match=$new servername=hostname" \
  "$(answer dane-good.test postfix-pins)"
held "a server that still shows the old key" three@dane-good.test "not verified"

# ---- what this dialect is for: DANE itself holds everything here
postfix_set smtp_tls_policy_maps=socketmap:unix:/run/lab/map:postfix smtp_dns_support_level=dnssec
held "dane-only behind a resolver that does not validate" four@dane-ta.test
finish
