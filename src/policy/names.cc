// SPDX-License-Identifier: Apache-2.0
// The words for the enumerations of the policy layer, in one place: logs, JSON and tests share
// them.
#include "policy/dane.h"
#include "policy/decision.h"
#include "policy/sts_finding.h"
#include "policy/sts_policy.h"

namespace sealane {

std::string_view name_of(StsMode mode) {
  switch (mode) {
    case StsMode::enforce:
      return "enforce";
    case StsMode::testing:
      return "testing";
    case StsMode::none:
      return "none";
  }
  return "?";
}

std::string_view name_of(HostState state) {
  switch (state) {
    case HostState::dane:
      return "DANE";
    case HostState::enc:
      return "ENC";
    case HostState::none:
      return "NONE";
    case HostState::err:
      return "ERR";
    case HostState::dead:
      return "DEAD";
  }
  return "?";
}

std::string_view name_of(MxStatus status) {
  switch (status) {
    case MxStatus::ok:
      return "ok";
    case MxStatus::implicit:
      return "implicit";
    case MxStatus::host:
      return "host";
    case MxStatus::null:
      return "null";
    case MxStatus::nodata_no_address:
      return "nodata-no-address";
    case MxStatus::nxdomain:
      return "nxdomain";
    case MxStatus::error:
      return "error";
  }
  return "?";
}

std::string_view name_of(DaneClass value) {
  switch (value) {
    case DaneClass::d0:
      return "D0";
    case DaneClass::all:
      return "D-ALL";
    case DaneClass::mix:
      return "D-MIX";
    case DaneClass::enc:
      return "D-ENC";
    case DaneClass::err:
      return "D-ERR";
    case DaneClass::ins:
      return "D-INS";
    case DaneClass::fail:
      return "D-FAIL";
    case DaneClass::null:
      return "D-NULL";
    case DaneClass::nx:
      return "D-NX";
  }
  return "?";
}

std::string_view name_of(StsClass value) {
  switch (value) {
    case StsClass::none:
      return "S0";
    case StsClass::enforce:
      return "S-ENF";
    case StsClass::testing:
      return "S-TST";
    case StsClass::mode_none:
      return "S-NON";
    case StsClass::fetch_failed:
      return "S-FETCH";
    case StsClass::txt_error:
      return "S-TXTERR";
    case StsClass::pending:
      return "S-PEND";
    case StsClass::own_fault:
      return "S-OWN";
  }
  return "?";
}

std::string_view name_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::postfix:
      return "postfix";
    case Dialect::postfix_tlsrpt:
      return "postfix-tlsrpt";
    case Dialect::postfix_pins:
      return "postfix-pins";
    case Dialect::requiretls:
      return "requiretls";
    case Dialect::sendmail_sts:
      return "sts";
    case Dialect::exim:
      return "exim";
  }
  return "?";
}

std::string_view name_of(Action action) {
  switch (action) {
    case Action::not_found:
      return "not-found";
    case Action::may:
      return "may";
    case Action::encrypt:
      return "encrypt";
    case Action::dane:
      return "dane";
    case Action::dane_only:
      return "dane-only";
    case Action::sts:
      return "sts";
    case Action::pins:
      return "pins";
    case Action::fixed:
      return "fixed";
    case Action::temporary:
      return "temporary";
  }
  return "?";
}

std::string_view name_of(Notice notice) {
  switch (notice) {
    case Notice::sts_conflict:
      return "sts_conflict";
    case Notice::preference_inverted:
      return "preference_inverted";
    case Notice::sts_match_restricted:
      return "sts_match_restricted";
    case Notice::txt_error_bound:
      return "txt_error_bound";
    case Notice::fetch_failed:
      return "fetch_failed";
    case Notice::null_mx:
      return "null_mx";
    case Notice::overridden:
      return "overridden";
    case Notice::observed:
      return "observed";
    case Notice::mx_mismatch:
      return "mx_mismatch";
  }
  return "?";
}

}  // namespace sealane
