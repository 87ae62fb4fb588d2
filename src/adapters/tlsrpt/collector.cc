// SPDX-License-Identifier: Apache-2.0
#include "adapters/tlsrpt/collector.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "adapters/tlsrpt/datagram.h"
#include "base/log.h"

namespace sealane {

Result<std::unique_ptr<TlsrptCollector>> TlsrptCollector::create(const std::string& path,
                                                                 const Clock& clock) {
  constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > kMaxPath) {
    return failure("the path of a unix socket has 1 to {} octets, this has {}", kMaxPath,
                   path.size());
  }
  Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return failure("no socket: {}", std::strerror(errno));
  return std::unique_ptr<TlsrptCollector>(new TlsrptCollector(std::move(socket), path, clock));
}

Result<void> TlsrptCollector::send(const TlsrptReport& report) {
  const std::string datagram = tlsrpt_datagram(report);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::copy(path_.begin(), path_.end(), name.sun_path);
  // By name each time: a collector that starts anew is found.
  const auto sent =
      ::sendto(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&name), sizeof name);
  const bool works = sent >= 0;
  const std::string cause = works ? "" : std::strerror(errno);
  tell(works, cause);
  log(Severity::debug, "tlsrpt_report",
      {{"domain", report.domain.text()}, {"sent", works ? "yes" : "no"}});
  if (works) return {};
  return failure("{}: {}", path_, cause);
}

void TlsrptCollector::tell(bool works, std::string_view cause) {
  if (told_.value_or(true) == works) return;
  const auto now = clock_.steady();
  if (told_ && now - told_at_ < kCollectorLogPause) return;
  told_ = works;
  told_at_ = now;
  if (works) {
    log(Severity::notice, "tlsrpt_collector_back", {{"socket", path_}});
  } else {
    log(Severity::warning, "tlsrpt_collector_fails",
        {{"socket", path_}, {"cause", std::string(cause)}, {"effect", "reports are dropped"}});
  }
}

}  // namespace sealane
