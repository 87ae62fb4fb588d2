// SPDX-License-Identifier: Apache-2.0
// The words for events.
#include <array>
#include <utility>

#include "lookup/event.h"

namespace sealane {
namespace {

constexpr std::array<std::pair<EventKind, std::string_view>, kEventKinds> kNames{{
    {EventKind::policy_new, "policy-new"},
    {EventKind::policy_changed, "policy-changed"},
    {EventKind::policy_changed_without_new_id, "policy-changed-without-new-id"},
    {EventKind::policy_weaker, "policy-weaker"},
    {EventKind::policy_expired, "policy-expired"},
    {EventKind::policy_deleted, "policy-deleted"},
    {EventKind::policy_not_durable, "policy-not-durable"},
    {EventKind::txt_vanished, "txt-vanished"},
    {EventKind::txt_back, "txt-back"},
    {EventKind::id_changed, "id-changed"},
    {EventKind::fetch_failed, "fetch-failed"},
    {EventKind::refresh_failing, "refresh-failing"},
    {EventKind::refresh_failing_half, "refresh-failing-50"},
    {EventKind::refresh_failing_fifth, "refresh-failing-20"},
    {EventKind::dane_changed, "dane-changed"},
    {EventKind::tlsa_changed, "tlsa-changed"},
    {EventKind::tlsa_vanished, "tlsa-vanished"},
    {EventKind::policy_imported, "policy-imported"},
    {EventKind::policy_purged, "policy-purged"},
}};

}  // namespace

std::string_view name_of(EventKind kind) {
  for (const auto& [known, name] : kNames) {
    if (known == kind) return name;
  }
  return "?";
}

std::optional<EventKind> event_kind_named(std::string_view name) {
  for (const auto& [kind, known] : kNames) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

}  // namespace sealane
