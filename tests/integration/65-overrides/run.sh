#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the operator lays down for a destination is answered, until its time is over; a reload takes
# a good file at once and a bad one not at all.
. "$(dirname "$0")/../lib.sh"

RULES=$LAB_STATE/overrides
write_config "$CONFIG"
sed -i "s|^\[log\]|[policy]\noverrides = $RULES\n&|" "$CONFIG"

mkdir "$LAB_STATE/postfix-conf" && : > "$LAB_STATE/postfix-conf/main.cf"
postmap_q() {  # postmap_q KEY: the value in Postfix's own words
  postmap -c "$LAB_STATE/postfix-conf" -q "$1" "socketmap:unix:$MAP:postfix"
}
logged() { grep -c -E "event=$1( |$).*${2:-}" "$LOG"; }
has_logged() { [ "$(logged "$1" "${3:-}")" -ge "$2" ]; }
reload() {  # SIGHUP; until the daemon says that it is done
  local before
  before=$(logged reloaded)
  kill -s HUP "$DAEMON"
  ok "$1" wait_for 10 has_logged reloaded $((before + 1))
}

# A file that is wrong keeps the daemon from starting, and --check-config shows every error.
cat > "$RULES" << 'END'
# one good, two bad
dane-good.test postfix=may reason="fine"
no-policy.test dane=only dane=off reason="undecided"
sts-good.unsigned postfix="secure match=mx." reason="a dot"
END
output=$(timeout 20 "$SEALANED" --config "$CONFIG" 2>&1)
is "a start with a wrong file" 1 $?
like "it names the first line" "$RULES:3: .*contradicts" "$output"
like "it names the second line" "$RULES:4: .*last dot" "$output"
output=$("$SEALANED" --config "$CONFIG" --check-config 2>&1)
is "--check-config with a wrong file" 1 $?
like "--check-config names the first line" "$RULES:3: \"dane=off\" contradicts \"dane=only\"" "$output"
like "--check-config names the second line" "$RULES:4: postfix: match=mx.: leave" "$output"
rm "$RULES"
like "a missing file" "$RULES: No such file" \
  "$("$SEALANED" --config "$CONFIG" --check-config 2>&1)"

cat > "$RULES" << 'END'
dane-good.test         postfix="secure match=mx.partner.example servername=hostname" reason="contract 7"
.dane-good.test        postfix=encrypt exim="level=encrypt" reason="all below"
bücher.test            postfix="none" reason="an IDN"
all-err.test           dane=off until=2999-12-31 reason="no TLSA answers"
partial-sts.test       dane=off reason="a host without TLSA"
no-policy.test         dane=only reason="agreed"
sts-good.unsigned      sts=off reason="wrong policy"
sts-wildcard.unsigned  observe reason="trial"
policy-hangs.unsigned  observe reason="slow trial"
sts-v6.unsigned        exim="level=none" reason="for Exim alone"
insecure-mx.unsigned   postfix=may until=2020-02-29 reason="long over"
END
like "--check-config counts the rules" "^# $RULES: 11 overrides$" \
  "$("$SEALANED" --config "$CONFIG" --check-config | tail -n 1)"
sed -n '/^## Overrides/,/^rule /s/^    //p' "$HERE/../../docs/formats.md" > "$LAB_STATE/examples"
like "the documented examples are right" "^# $LAB_STATE/examples: 3 overrides$" \
  "$("$SEALANED" --config "$CONFIG" --policy.overrides "$LAB_STATE/examples" --check-config |
    tail -n 1)"

start_daemon
is "a fixed answer" "secure match=mx.partner.example servername=hostname" \
  "$(postmap_q dane-good.test)"
is "a fixed answer, with a port" "secure match=mx.partner.example servername=hostname" \
  "$(postmap_q '[Dane-Good.Test]:submission')"
is "a fixed answer, to requiretls" "OK enforce" "$(answer dane-good.test requiretls)"
is "a subtree, a host" encrypt "$(postmap_q '[mx.dane-good.test]')"
is "a subtree, a domain" encrypt "$(postmap_q a.b.dane-good.test)"
is "an IDN" none "$(postmap_q bücher.test)"
is "dane=off without a policy" may "$(postmap_q all-err.test)"
is "dane=off with a policy" \
  "secure match=mx1.partial-sts.test:mx2.partial-sts.test servername=hostname" \
  "$(postmap_q partial-sts.test)"
is "dane=only" dane-only "$(postmap_q no-policy.test)"
is "sts=off" "" "$(postmap_q sts-good.unsigned)"
is "observe" "" "$(postmap_q sts-wildcard.unsigned)"
SECONDS=0
is "observe does not wait for a policy host that hangs" "" "$(postmap_q policy-hangs.unsigned)"
ok "it took $SECONDS s" [ $SECONDS -lt 3 ]
answers sts-v6.unsigned
answers insecure-mx.unsigned
answers dane-unusable.test

ok "a use is logged with its reason" has_logged override 1 \
  'destination=dane-good.test rule=dane-good.test .*action=fixed.*reason="contract 7"'
ok "what observing would have said" wait_for 15 has_logged observed 1 \
  'destination=sts-wildcard.unsigned would_be=sts'
ok "an observed use is logged" has_logged override 1 \
  'destination=sts-wildcard.unsigned .*action=sts observed=yes reason=trial'
ok "a fixed answer for others is mentioned" has_logged override_not_for_asker 1 \
  'rule=sts-v6.unsigned asker=postfix'
answer sts-v6.unsigned requiretls > /dev/null
is "but once" 1 "$(logged override_not_for_asker)"
ok "what is over is named" has_logged override_expired 1 \
  'line=11 .*insecure-mx.unsigned postfix=.*until=2020-02-29'

# A bad file on reload: every error with its line, and all stays as it was.
cp "$RULES" "$RULES.good"
printf '%s\n' 'dane-good.test postfix=may reason="new"' 'no-policy.test dane=never reason="x"' \
  'sts-good.unsigned observe' > "$RULES"
reload "SIGHUP with a wrong file"
ok "the first error" has_logged override_wrong 1 "$RULES:2: .*dane=never.*write dane=off"
ok "the second error" has_logged override_wrong 1 "$RULES:3: .*no reason"
ok "the old ones are kept" has_logged reloaded 1 'overrides="the old ones"'
is "the old fixed answer" "secure match=mx.partner.example servername=hostname" \
  "$(postmap_q dane-good.test)"
is "the old dane=only" dane-only "$(postmap_q no-policy.test)"

# A good one: the answers that are ready go, too.
sed -i '2,3d' "$RULES"
reload "SIGHUP with another file"
ok "the number of rules, and no restart" has_logged reloaded 1 'overrides=1 needs_restart=no'
is "the new fixed answer" may "$(postmap_q dane-good.test)"
answers no-policy.test
answers sts-good.unsigned
like "dane=off is gone" '^TEMP .' "$(answer all-err.test)"
answers sts-wildcard.unsigned

# Without the option there are none.
sed -i '/^overrides = /d' "$CONFIG"
reload "SIGHUP without overrides"
ok "none, and no restart" has_logged reloaded 1 'overrides=0 needs_restart=no'
answers dane-good.test
cp "$RULES.good" "$RULES"
sed -i "0,/^\[policy\]/s|^\[policy\]|&\noverrides = $RULES|" "$CONFIG"
reload "SIGHUP with overrides again"
is "the first fixed answer" "secure match=mx.partner.example servername=hostname" \
  "$(postmap_q dane-good.test)"

# By command: what was added is in force after a reload, what was refused is not in the file.
override() { "$SEALANE" override "$@" --config "$CONFIG" 2>&1; }
printf '# kept\n\nno-policy.test  dane=only reason="agreed"   # kept too' > "$RULES"
chown nobody:nogroup "$RULES" && chmod 640 "$RULES"
like "it says where, what, and how it takes effect" \
  "^$RULES:4: added dane-good.test postfix=\"secure match=mx.p.example\" .*systemctl reload sealaned$" \
  "$(override add Dane-Good.test 'postfix=secure match=mx.p.example' 'reason=contract 7')"
output=$(override add sts-good.unsigned dane=maybe sts=off)
is "a rule that the daemon would refuse" 1 $?
like "its errors have the line" "$RULES:5: .*write dane=off .*$RULES:5: .*no reason" \
  "$(tr '\n' ' ' <<< "$output")"
override add no-policy.test observe reason=again > "$LAB_STATE/override.out"
is "a place that has a rule" 1 $?
is "comments and order stay" "# kept||no-policy.test  dane=only reason=\"agreed\"   # kept too|" \
  "$(head -n 3 "$RULES" | tr '\n' '|')"
is "and so do owner and mode" "nobody:nogroup 640" "$(stat -c '%U:%G %a' "$RULES")"
chmod 644 "$RULES"
reload "SIGHUP after override add"
is "the added rule is in force" "secure match=mx.p.example" "$(postmap_q dane-good.test)"
is "and the old one" dane-only "$(postmap_q no-policy.test)"
override remove dane-good.test > "$LAB_STATE/override.out"
reload "SIGHUP after override remove"
answers dane-good.test
like "the list" '^PLACE .*no-policy.test +dane=only +- +agreed' "$(override list | tr '\n' ' ')"
ln -s "$RULES" "$LAB_STATE/link"
like "a symbolic link is not followed" 'link: is a symbolic link' \
  "$("$SEALANE" override add a.test observe reason=x --file "$LAB_STATE/link" 2>&1)"
finish
