// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/name_servers.h"

#include <doctest/doctest.h>

using namespace sealane;

namespace {

std::vector<std::string> servers(std::string_view text) {
  std::vector<std::string> found;
  for (const NameServer& server : parse_resolv_conf(text)) found.push_back(to_text(server));
  return found;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("name servers are read from resolv.conf in order") {
  CHECK(servers("# nameserver 192.0.2.9\nsearch a.test\nnameserver 127.0.0.1\r\n"
                "nameserver\t::1 # local\noptions edns0\nnameserver 192.0.2.1;x") ==
        Texts{"127.0.0.1", "::1", "192.0.2.1"});
}

TEST_CASE("the C library looks at three name servers, so do we") {
  CHECK(servers("nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\n"
                "nameserver 127.0.0.4\n")
            .size() == 3);
}

TEST_CASE("unreadable lines are skipped and nothing means this host") {
  CHECK(servers("nameserver\nnameserver localhost\nnameservers 192.0.2.1\n") == Texts{"127.0.0.1"});
  CHECK(servers("") == Texts{"127.0.0.1"});
  CHECK(name_servers("/nonexistent/resolv.conf").size() == 1);
}

TEST_CASE("a port is shown where it is not the usual one") {
  CHECK(to_text({boost::asio::ip::make_address("::1"), 5353}) == "::1@5353");
  CHECK(to_text({boost::asio::ip::make_address("127.0.0.1"), 53}) == "127.0.0.1");
}
