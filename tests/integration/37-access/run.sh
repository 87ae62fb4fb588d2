#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A submission server asks before it takes a recipient: a real Postfix, and sessions with it.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

RULES=$LAB_STATE/access
write_config "$CONFIG"
sed -i "s|^\[access\]|&\nlisten = inet:127.0.0.1:8463\ntable = $RULES|" "$CONFIG"
session() { python3 -B "$HERE/37-access/session.py" "$@"; }
reload() {
  kill -s HUP "$DAEMON"
  wait_for 10 logged "event=reloaded"
}
queued_header() {  # the header that the last queued message was given
  local id
  id=$(in_postfix postqueue -j | sed -n 's/.*"queue_id": "\([^"]*\)".*/\1/p' | tail -n 1)
  [ -n "$id" ] && in_postfix postcat -qh "$id" | grep '^Sealane-Protection'
}

# ---- a table that is wrong
echo 'sender=a.test require' > "$RULES"
output=$("$SEALANED" --config "$CONFIG" --check-config 2>&1)
is "--check-config with a wrong table" 1 $?
like "it names the line" "$RULES:1: add reason=" "$output"
output=$(timeout 20 "$SEALANED" --config "$CONFIG" 2>&1)
is "a start with a wrong table" 1 $?
like "the packaged example is right" "^# .*access.example: 3 rules$" \
  "$("$SEALANED" --config "$CONFIG" --access.table "$HERE/../../packaging/access.example" \
    --check-config | tail -n 1)"

cat > "$RULES" << 'END'
recipient=lab.test                         pass            reason="ourselves"
sender=boss@lab.test                       require record  reason="decided"
sender=.secret.lab.test context=none       require         reason="another port"
sender=.secret.lab.test context=submission require         reason="data"
sender=curious@lab.test                    record          reason="to see"
user=Payroll                               require         reason="salaries"
END
start_daemon
ok "Postfix starts" postfix_start "$SOCKETS" socketmap:unix:/run/lab/map:postfix
in_postfix sed -i '/^smtpd_recipient_restrictions/d' /etc/postfix/main.cf
cat "$HERE/../../packaging/postfix/access.cf.example" >> "$POSTFIX_ROOT/etc/postfix/main.cf"
postfix_set smtpd_tls_security_level=none defer_transports=smtp mynetworks=127.0.0.0/8 \
  smtpd_delay_reject=yes smtpd_authorized_xclient_hosts=127.0.0.1
in_postfix postconf -M 'smtp/inet=127.0.0.1:2525 inet n - n - - smtpd'
in_postfix postfix reload 2> "$LAB_STATE/reload.out"
if ! wait_for 20 session listens 2> "$LAB_STATE/session.err"; then
  result 1 "the submission server listens" "$(grep -E 'fatal|warning' "$MAILLOG" | tail -n 3)"
  finish
fi

# ---- who must, learns at once; recipients of one message each get their own answer
session boss@lab.test u@dane-good.test u@sts-good.unsigned u@no-policy.test u@all-err.test \
  u@insecure-mx.unsigned u@lab.test > "$LAB_STATE/boss"
like "DANE" '^u@dane-good.test 250 ' "$(grep '^u@dane-good' "$LAB_STATE/boss")"
like "MTA-STS" '^u@sts-good.unsigned 250 ' "$(grep '^u@sts-good' "$LAB_STATE/boss")"
like "nothing" '^u@no-policy.test 554 5.7.10 .*no-policy.test publishes nothing' \
  "$(grep '^u@no-policy' "$LAB_STATE/boss")"
like "not known" '^u@all-err.test 450 4.7.5 .*TLSA lookup for _25._tcp' \
  "$(grep '^u@all-err' "$LAB_STATE/boss")"
like "DANE that anybody can take away" '^u@insecure-mx.unsigned 554 5.7.10 ' \
  "$(grep '^u@insecure-mx' "$LAB_STATE/boss")"
like "the table's exception" '^u@lab.test 250 ' "$(grep '^u@lab.test' "$LAB_STATE/boss")"
routed='"u@no-policy.test"@lab.test'
for address in 'no-policy.test!u' 'u%no-policy.test' 'u%no-policy.test@lab.test' "$routed"; do
  like "the destination in the local part: $address" ' 554 5.7.10 .*write a plain address' \
    "$(session boss@lab.test "$address")"
done
like "a policy that cannot be fetched" '^u@policy-404.unsigned 450 4.7.5 .*could not be fetched' \
  "$(session boss@lab.test u@policy-404.unsigned)"
like "one host of which DANE is not known" '^u@err-beside-dane.test 450 4.7.5 .*TLSA lookup' \
  "$(session boss@lab.test u@err-beside-dane.test)"
like "a class of senders, by the context of the port" '^u@no-policy.test 554 5.7.10' \
  "$(session x@a.secret.lab.test u@no-policy.test)"
like "who has logged in" '^u@no-policy.test 554 5.7.10' \
  "$(session --login Payroll x@lab.test u@no-policy.test)"
like "a name in other letters is another one" '^u@no-policy.test 250 ' \
  "$(session --login payroll x@lab.test u@no-policy.test)"
like "everybody else" '^u@no-policy.test 250 ' "$(session x@lab.test u@no-policy.test)"

# ---- what was found is in the header
for row in "dane-good.test dane" "sts-good.unsigned mta-sts" "no-policy.test none" \
  "all-err.test unknown"; do
  read -r domain word <<< "$row"
  in_postfix postsuper -d ALL > "$LAB_STATE/deleted" 2>&1
  like "$domain is taken" '^data 250' "$(session --data curious@lab.test "u@$domain" | tail -n 1)"
  ok "$domain is queued" wait_for 20 queued_header
  is "$domain has a header" "Sealane-Protection: $domain; $word" "$(queued_header)"
done

# ---- a slow recipient keeps nobody else waiting
session boss@lab.test u@policy-hangs.unsigned > "$LAB_STATE/slow" &
slow=$!
SECONDS=0
like "somebody else meanwhile" '^u@dane-ta.test 250 ' "$(session boss@lab.test u@dane-ta.test)"
ok "at once" [ $SECONDS -lt 5 ]
ok "while the slow one waits" runs $slow
wait $slow
like "the slow one in the end" '^u@policy-hangs.unsigned 450 4.7.5 ' "$(cat "$LAB_STATE/slow")"

# ---- the table is read again; the daemon comes and goes within a session
echo 'any pass reason="holiday"' > "$RULES"
ok "a reload" reload
like "the new table" '^u@no-policy.test 250 ' "$(session boss@lab.test u@no-policy.test)"
echo 'any require reason="all of it"' > "$RULES"
: > "$LOG"
ok "a reload" reload
mkfifo "$LAB_STATE/steps"
session --steps "$LAB_STATE/steps" boss@lab.test > "$LAB_STATE/session" &
exec 4> "$LAB_STATE/steps"
step() { echo "$1" >&4; wait_for 40 grep -q "^$1 " "$LAB_STATE/session"; }
ok "before a restart" step u@dane-good.test
stop_daemon TERM
start_daemon
ok "after a restart" step v@dane-good.test
stop_daemon TERM
ok "without the daemon" step w@dane-good.test
exec 4>&-
wait %2 2> "$LAB_STATE/wait.err"
is "what the session saw" "u@dane-good.test 250 v@dane-good.test 250 w@dane-good.test 450" \
  "$(awk '{ printf "%s %s ", $1, $2 }' "$LAB_STATE/session")"
finish
