// SPDX-License-Identifier: Apache-2.0
#include "server/access_table.h"

#include <doctest/doctest.h>

#include "server/access_verdict.h"

using namespace sealane;
using std::chrono::seconds;

namespace {

AccessTable table(std::string_view text) {
  auto read = parse_access_table(text, "file");
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().front()));
  return *std::move(read);
}

std::vector<std::string> errors(std::string_view text) {
  auto read = parse_access_table(text, "file");
  return read ? std::vector<std::string>{} : read.error();
}

AccessRequest request(std::string_view sender, std::string_view recipient = "r@b.test",
                      std::string_view user = "", std::string_view context = "") {
  return {"RCPT", sender, recipient, user, context};
}

int rule_for(const AccessTable& rules, const AccessRequest& asked) {
  const AccessRule* rule = rules.find(asked);
  return rule == nullptr ? 0 : rule->line;
}

Answer answer(Action action, std::string reply = "", std::string reason = "") {
  Answer made;
  made.action = action;
  made.reply = std::move(reply);
  made.reason = std::move(reason);
  return made;
}

AccessRule rule(bool require, bool record) {
  AccessRule made;
  made.require = require;
  made.record = record;
  return made;
}

}  // namespace

TEST_CASE("the first rule whose conditions all hold is used") {
  const AccessTable rules = table(
      "# comment\n"
      "sender=boss@a.test user=chair require reason=x\n"
      "sender=boss@a.test pass reason=x  # comment\n"
      "\n"
      "sender=.a.test sender=c.test require reason=\"two places\"\r\n"
      "context=data recipient=b.test record require reason=x\n"
      "sender=<> pass reason=bounces\n"
      "any record reason=x");
  CHECK(rules.rules().size() == 6);
  CHECK(rule_for(rules, request("Boss@A.test", "r@b.test", "chair")) == 2);
  CHECK(rule_for(rules, request("boss@a.test")) == 3);
  CHECK(rule_for(rules, request("boss@a.test", "r@b.test", "Chair")) == 3);
  CHECK(rule_for(rules, request("x@sub.A.test")) == 5);
  CHECK(rule_for(rules, request("x@a.b.a.test.")) == 5);
  CHECK(rule_for(rules, request("x@c.test")) == 5);
  CHECK(rule_for(rules, request("x@a.test")) == 8);
  CHECK(rule_for(rules, request("x@xa.test")) == 8);
  CHECK(rule_for(rules, request("x@d.test", "r@B.test", "", "data")) == 6);
  CHECK(rule_for(rules, request("x@d.test", "r@b.test", "", "Data")) == 8);
  CHECK(rule_for(rules, request("x@d.test", "r@c.test", "", "data")) == 8);
  CHECK(rule_for(rules, request("")) == 7);
  CHECK(rule_for(AccessTable{}, request("x@a.test")) == 0);
}

TEST_CASE("a name is found in the form in which the rule has it, and in the other") {
  const AccessTable rules = table("recipient=bücher.test require reason=x\n");
  CHECK(rule_for(rules, request("", "r@xn--bcher-kva.test")) == 1);
  CHECK(rule_for(rules, request("", "r@BÜCHER.test")) == 1);
  CHECK(rule_for(rules, request("", "r")) == 0);
  CHECK(rule_for(rules, request("", "r@[127.0.0.1]")) == 0);
}

TEST_CASE("what is not understood is an error with its line") {
  const struct {
    const char* line;
    const char* wanted;
  } rows[] = {
      {"require reason=x", "a rule is for \"any\", or says who is meant"},
      {"any sender=a.test require reason=x", "a rule is for \"any\", or says who is meant"},
      {"any reason=x", "either pass, or require, record"},
      {"any pass require reason=x", "either pass, or require, record"},
      {"any require", "add reason="},
      {"any require reason=\"\"", "has no value"},
      {"any require reason=x reason=y", "given twice"},
      {"any any require reason=x", "given twice"},
      {"any requires reason=x", "\"requires\" is unknown; there are any, context="},
      {"from=a.test require reason=x", "\"from=a.test\" is unknown"},
      {"sender=a..test require reason=x", "write user@domain, domain, .domain or <>"},
      {"sender=@a.test require reason=x", "write the domain alone"},
      {"sender= require reason=x", "has no value"},
      {"any require reason=\"x", "the quote is not closed"},
      {"any require reason=\"x\"y", "put a blank behind the quote"},
      {"any require reason=\"\xff\"", "no UTF-8"},
      {"any\x01require reason=x", "control character"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.line);
    const std::vector<std::string> told = errors(std::string("# first\n") + row.line + "\n");
    REQUIRE_FALSE(told.empty());
    CHECK(told.front().starts_with("file:2: "));
    bool is_told = false;
    for (const std::string& text : told) {
      is_told = is_told || text.find(row.wanted) != std::string::npos;
    }
    CHECK_MESSAGE(is_told, told.front());
  }
}

TEST_CASE("limits of a table") {
  std::string text;
  for (std::size_t i = 0; i < kMaxAccessRules; ++i) text += "any record reason=x\n";
  CHECK(table(text).rules().size() == kMaxAccessRules);
  CHECK(errors(text + "any record reason=x\n").front().starts_with("file:1001: more than 1000"));
  const std::string reason(kMaxAccessReason, 'x');
  CHECK(errors("any record reason=" + reason).empty());
  CHECK_FALSE(errors("any record reason=x" + reason).empty());
  const std::string comment = "any record reason=x #";
  CHECK(errors(comment + std::string(kMaxAccessLine - comment.size(), 'x')).empty());
  CHECK_FALSE(errors(comment + std::string(kMaxAccessLine - comment.size() + 1, 'x')).empty());
  std::string wrong;
  for (int i = 0; i < 10'000; ++i) wrong += "wrong\n";
  CHECK(errors(wrong).size() < kMaxAccessProblems + 10);
}

TEST_CASE("a request is read attribute by attribute") {
  const auto read = parse_access_request(
      "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=a=b@a.test\nrecipient=r@b.test\n"
      "sasl_username=u\npolicy_context=c\nunknown=\nccert_subject=x=y\n\n");
  REQUIRE(read);
  CHECK(read->state == "RCPT");
  CHECK(read->sender == "a=b@a.test");
  CHECK(read->recipient_domain() == "b.test");
  CHECK(read->user == "u");
  CHECK(read->context == "c");
  for (const char* text :
       {"protocol_state=RCPT\n\n", "request=junk_mail\n\n",
        "request=smtpd_access_policy\nno equals\n\n", "request=smtpd_access_policy\n=x\n\n",
        "request=smtpd_access_policy\nrecipient=\nrecipient=r@b.test\n\n", "\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_access_request(text));
  }
  CHECK(access_request_length("a=b\n") == 0);
  CHECK(access_request_length("a=b\n\nc=d\n\n") == 5);
  CHECK(access_request_length("\na=b\n\n") == 1);
}

TEST_CASE("only what authenticates every mail host counts as protection") {
  CHECK(protection_of(answer(Action::dane_only)) == Protection::dane);
  CHECK(protection_of(answer(Action::pins)) == Protection::dane);
  CHECK(protection_of(answer(Action::sts)) == Protection::mta_sts);
  CHECK(protection_of(answer(Action::temporary)) == Protection::unknown);
  for (const Action action : {Action::not_found, Action::may, Action::encrypt, Action::dane}) {
    CHECK(protection_of(answer(action)) == Protection::none);
  }
  CHECK(protection_of(answer(Action::fixed, "OK secure match=a.test")) == Protection::fixed);
  CHECK(protection_of(answer(Action::fixed, "OK dane-only")) == Protection::fixed);
  for (const char* reply : {"OK encrypt", "OK dane", "OK may", "OK", "", "TEMP x"}) {
    CHECK(protection_of(answer(Action::fixed, reply)) == Protection::none);
  }
}

TEST_CASE("what a rule demands becomes an action of Postfix") {
  const Answer none = answer(Action::not_found);
  const Answer down = answer(Action::temporary, "", "b.test: TLSA lookup\nfailed");
  CHECK(access_action(rule(true, false), answer(Action::sts), "b.test") == "DUNNO");
  CHECK(access_action(rule(true, true), answer(Action::sts), "b.test") ==
        "PREPEND Sealane-Protection: b.test; mta-sts");
  CHECK(access_action(rule(true, true), none, "b.test") ==
        "REJECT 5.7.10 b.test publishes nothing by which all its mail servers could be "
        "authenticated (DANE, MTA-STS)");
  CHECK(access_action(rule(true, true), down, "b.test") ==
        "DEFER_IF_PERMIT 4.7.5 cannot find out yet whether b.test can be reached securely: "
        "b.test: TLSA lookup?failed");
  CHECK(access_action(rule(false, true), none, "b.test") ==
        "PREPEND Sealane-Protection: b.test; none");
  CHECK(access_action(rule(false, true), down, "b.test") ==
        "PREPEND Sealane-Protection: b.test; unknown");
  CHECK(access_action(rule(false, true), none, "b; dane\nX: y") ==
        "PREPEND Sealane-Protection: b??dane?X:?y; none");
  CHECK(access_action(rule(true, false), none, std::string(400, 'x')).size() < 512);
}

TEST_CASE("what could not be found out is no reason to send mail back") {
  Answer doubted = answer(Action::not_found);
  doubted.doubt = "the MTA-STS policy could not be fetched: 404\n";
  CHECK(protection_of(doubted) == Protection::unknown);
  CHECK(access_action(rule(true, false), doubted, "b.test") ==
        "DEFER_IF_PERMIT 4.7.5 cannot find out yet whether b.test can be reached securely: the "
        "MTA-STS policy could not be fetched: 404?");
  CHECK(access_action(rule(false, true), doubted, "b.test") ==
        "PREPEND Sealane-Protection: b.test; unknown");
  doubted.action = Action::dane;
  CHECK(access_action(rule(true, false), doubted, "b.test").starts_with("DEFER_IF_PERMIT 4.7.5 "));
  for (const Action action : {Action::dane_only, Action::sts, Action::pins}) {
    doubted.action = action;
    CHECK(access_action(rule(true, false), doubted, "b.test") == "DUNNO");
  }
  doubted.action = Action::fixed;
  doubted.reply = "OK encrypt";
  CHECK(access_action(rule(true, false), doubted, "b.test").starts_with("REJECT "));
}

TEST_CASE("a recipient that hides its destination in the local part is recognised") {
  for (const char* recipient : {"b.test!u", "u%b.test", "u%b.test@example.net", "u@b.test@c.test",
                                "\"u@b.test\"@c.test", "b.test!u@c.test", "@a.test:u@c.test"}) {
    CAPTURE(recipient);
    CHECK(request("", recipient).is_recipient_routed());
  }
  for (const char* recipient : {"u@b.test", "postmaster", "", "u+x=y.z@b.test", "u@b%test"}) {
    CAPTURE(recipient);
    CHECK_FALSE(request("", recipient).is_recipient_routed());
  }
}

TEST_CASE("a demand is found by its sender alone, unless rules before it are for everybody") {
  const AccessTable rules = table(
      "sender=a.test recipient=b.test require reason=x\n"
      "sender=c.test recipient=b.test pass reason=x\n"
      "sender=c.test user=u pass reason=x\n"
      "sender=c.test context=data require reason=x\n"
      "any record reason=x\n"
      "any require reason=x\n");
  const auto line_for = [&rules](const AccessRequest& asked) {
    const AccessRule* found = rules.demand_of_sender(asked);
    return found == nullptr ? 0 : found->line;
  };
  CHECK(line_for(request("s@a.test")) == 1);
  CHECK(line_for(request("s@c.test", "r", "", "data")) == 4);
  CHECK(line_for(request("s@c.test", "r", "u", "data")) == 0);
  CHECK(line_for(request("s@c.test")) == 0);
  CHECK(line_for(request("s@d.test")) == 0);
}

TEST_CASE("while observing nothing is refused") {
  Answer observed = answer(Action::not_found);
  observed.observed = true;
  CHECK(access_action(rule(true, false), observed, "b.test") == "DUNNO");
  CHECK(access_action(rule(true, true), observed, "b.test") ==
        "PREPEND Sealane-Protection: b.test; unknown");
}
