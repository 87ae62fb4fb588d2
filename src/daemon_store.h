// SPDX-License-Identifier: Apache-2.0
// From the configuration to the policy store: a file, and in front of it the server of a fleet.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "adapters/redis/shared_store.h"
#include "base/result.h"
#include "lookup/clock.h"
#include "lookup/policy_store.h"
#include "server/config.h"

namespace sealane {

struct DaemonStore {
  std::unique_ptr<PolicyStore> policies;
  SharedStore* shared = nullptr;  ///< the same, if it is a shared one: to be started and closed
};

/// `reset`: puts a local store that cannot be read aside.  Fails with a text for the operator.
Result<DaemonStore> open_store(const Config& config, bool reset,
                               boost::asio::any_io_executor lookup, const Clock& clock);

}  // namespace sealane
