// SPDX-License-Identifier: Apache-2.0
// Writes what is remembered of a domain to the store, or takes it out when nothing is left that is
// worth keeping.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "base/task.h"
#include "lookup/policy_store.h"
#include "lookup/sts_slots.h"

namespace sealane {

/// Lives on the lookup thread.  `owner` holds whatever this is a part of until the work is done.
class StsSaver {
 public:
  StsSaver(boost::asio::any_io_executor lookup, PolicyStore& store)
      : lookup_(std::move(lookup)), store_(store) {}

  /// Returns at once; a failure is logged.
  void save_later(const StsSlotPtr& slot, std::shared_ptr<void> owner);

  /// Waits up to `patience` until the memory is durable; the writing goes on.  Empty: it is.
  Task<std::string> save_now(StsSlotPtr slot, std::chrono::milliseconds patience,
                             std::shared_ptr<void> owner);

 private:
  struct Saving;
  Task<> save(StsSlotPtr slot, std::shared_ptr<void> owner);
  Task<> write(StsSlotPtr slot, std::shared_ptr<Saving> saving, std::shared_ptr<void> owner);

  boost::asio::any_io_executor lookup_;
  PolicyStore& store_;
};

}  // namespace sealane
