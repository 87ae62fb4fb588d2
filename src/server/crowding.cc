// SPDX-License-Identifier: Apache-2.0
#include "server/crowding.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "base/log.h"

namespace sealane {
namespace {

std::string text_of(CrowdingLog::Effect effect) {
  switch (effect) {
    case CrowdingLog::Effect::idle_closed:
      return "the longest idle one is closed for a new one";
    case CrowdingLog::Effect::waiting_closed:
      return "all wait for an answer: the one that has waited longest is closed for a new one";
    case CrowdingLog::Effect::told_to_come_later:
      return "a new one is told to come later";
  }
  std::abort();
}

}  // namespace

void CrowdingLog::note(std::size_t connections, Effect effect) {
  if (std::exchange(noted_[static_cast<std::size_t>(effect)], true)) return;
  log(Severity::warning, "connections_full",
      {{"server", std::string(server_)},
       {"connections", std::to_string(connections)},
       {"effect", text_of(effect)}});
}

}  // namespace sealane
