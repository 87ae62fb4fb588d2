// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_saver.h"

#include <utility>

#include "base/log.h"
#include "lookup/waiting.h"

namespace sealane {

struct StsSaver::Saving {
  bool done = false;
  std::string error;
  Signal ended;
};

void StsSaver::save_later(const StsSlotPtr& slot, std::shared_ptr<void> owner) {
  if (!slot->kept && !slot->entry.memory().worth_keeping()) return;
  spawn_detached(lookup_, save(slot, std::move(owner)), "saving " + slot->domain.text());
}

Task<> StsSaver::save(StsSlotPtr slot, std::shared_ptr<void> owner) {
  auto saving = std::make_shared<Saving>();
  co_await write(slot, saving, std::move(owner));
  if (saving->error.empty()) co_return;
  log(Severity::warning, "store_failed",
      {{"domain", slot->domain.text()}, {"cause", saving->error}});
}

Task<> StsSaver::write(StsSlotPtr slot, std::shared_ptr<Saving> saving,
                       [[maybe_unused]] std::shared_ptr<void> owner) {
  const StsMemory memory = slot->entry.memory();
  Result<void> kept;
  if (slot->purged) {
    kept = Result<void>();
  } else if (memory.worth_keeping()) {
    kept = co_await store_.put(slot->domain, memory);
  } else {
    kept = co_await store_.erase(slot->domain);
  }
  if (kept) slot->kept = memory.worth_keeping();
  slot->unsaved = !kept;
  if (!kept) saving->error = kept.error();
  saving->done = true;
  saving->ended.notify();
}

Task<std::string> StsSaver::save_now(StsSlotPtr slot, std::chrono::milliseconds patience,
                                     std::shared_ptr<void> owner) {
  auto saving = std::make_shared<Saving>();
  spawn_detached(lookup_, write(slot, saving, std::move(owner)), "saving " + slot->domain.text());
  const Deadline until = std::chrono::steady_clock::now() + patience;
  while (!saving->done) {
    const bool news = co_await saving->ended.wait_until(until);
    if (!news) break;
  }
  if (!saving->done) {
    slot->unsaved = true;  // until it has
    co_return "the store has not answered in time";
  }
  co_return saving->error;
}

}  // namespace sealane
