// SPDX-License-Identifier: Apache-2.0
// The TLS side of a policy fetch: whom to trust, whom to expect, and what went wrong.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>

#include "base/result.h"

namespace sealane {

inline constexpr std::size_t kMaxCaFile = 16 * 1024 * 1024;  ///< octets; Debian's has 220 KiB

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;
using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;

/// The file of the system's CA certificates, where the distributions put it; it may be absent.
std::string system_bundle();

/// A client's context that trusts the certificates of this PEM file, and of no other.  They are
/// read here and now: nothing is looked up later, when the process may be confined.  An empty name
/// stands for the system's bundle.  Fails, saying why, when there is not one certificate.
Result<TlsContext> make_tls_context(const std::string& ca_file);

/// What the certificate check found wrong, in words; empty as long as nothing was.
using CertificateFault = std::shared_ptr<std::string>;

/// Sends `host` as SNI and demands a certificate with this name among its DNS-IDs (RFC 8461 3.3,
/// RFC 6125: a wildcard only as the whole first label, never the common name).
CertificateFault expect_host(TlsStream& stream, const std::string& host);

/// Whether a handshake failed because the other side closed or reset the connection.
bool is_closed(const boost::system::error_code& error);

/// The cause of a failed handshake for a human.
std::string handshake_cause(const boost::system::error_code& error, const CertificateFault& fault);

}  // namespace sealane
