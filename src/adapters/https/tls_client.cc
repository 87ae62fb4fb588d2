// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/tls_client.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/verify_context.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/descriptor.h"
#include "base/text.h"

namespace sealane {
namespace {

namespace ssl = boost::asio::ssl;

/// Where distributions keep the bundle: Debian, Fedora, Alpine and the BSDs.
constexpr std::array<const char*, 3> kSystemBundles{
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
constexpr std::size_t kMaxNamesShown = 5;  // of a certificate for another host

template <auto free_function>
struct FreeBy {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
void free_info(STACK_OF(X509_INFO) * stack) { sk_X509_INFO_pop_free(stack, X509_INFO_free); }
void free_text(char* text) { OPENSSL_free(text); }
using Bio = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using InfoStack = std::unique_ptr<STACK_OF(X509_INFO), FreeBy<free_info>>;
using GeneralNames = std::unique_ptr<GENERAL_NAMES, FreeBy<GENERAL_NAMES_free>>;
using OpensslText = std::unique_ptr<char, FreeBy<free_text>>;

Result<std::string> read_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    return failure("CA file {}: {}", path, std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) return failure("CA file {}: not a regular file", path);
  std::string content;
  std::array<char, 65536> piece;
  for (;;) {
    const ssize_t n = ::read(file.get(), piece.data(), piece.size());
    if (n < 0) return failure("CA file {}: {}", path, std::strerror(errno));
    if (n == 0) return content;
    content.append(piece.data(), static_cast<std::size_t>(n));
    if (content.size() > kMaxCaFile) return failure("CA file {}: too large", path);
  }
}

Result<void> trust(X509_STORE* store, const std::string& path) {
  const auto content = read_file(path);
  if (!content) return tl::unexpected(content.error());
  ERR_clear_error();
  const Bio bio(BIO_new_mem_buf(content->data(), static_cast<int>(content->size())));
  const InfoStack infos(PEM_X509_INFO_read_bio(bio.get(), nullptr, nullptr, nullptr));
  if (!infos)
    return failure("CA file {}: damaged: {}", path, ERR_reason_error_string(ERR_get_error()));
  std::size_t count = 0;
  for (int i = 0; i < sk_X509_INFO_num(infos.get()); ++i) {
    X509* certificate = sk_X509_INFO_value(infos.get(), i)->x509;
    if (certificate == nullptr) continue;
    if (X509_STORE_add_cert(store, certificate) != 1) {
      return failure("CA file {}: certificate {} cannot be used", path, count + 1);
    }
    ++count;
  }
  if (count == 0) return failure("CA file {}: holds no certificate", path);
  return {};
}

std::string date(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

std::string shown(const X509_NAME* name) {
  const OpensslText text(X509_NAME_oneline(name, nullptr, 0));
  return text ? escape(text.get()) : "?";
}

std::string dns_names(const X509* certificate) {
  const GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string list;
  std::size_t count = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    if (++count > kMaxNamesShown) return list + ", ...";
    const auto* octets = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    const auto length = static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName));
    list += (list.empty() ? "" : ", ") + escape({octets, length}, 64);
  }
  return list.empty() ? "none" : list;
}

std::string certificate_cause(X509_STORE_CTX* check, const std::string& host) {
  const int error = X509_STORE_CTX_get_error(check);
  const X509* certificate = X509_STORE_CTX_get_current_cert(check);
  if (certificate == nullptr) return X509_verify_cert_error_string(error);
  const bool leaf = X509_STORE_CTX_get_error_depth(check) == 0;
  const std::string which =
      leaf ? "certificate" : "CA certificate " + shown(X509_get_subject_name(certificate));
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return which + " expired on " + date(X509_get0_notAfter(certificate));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return which + " is not valid before " + date(X509_get0_notBefore(certificate));
    case X509_V_ERR_HOSTNAME_MISMATCH:
      return fmt::format("certificate is not for {} (names: {})", host, dns_names(certificate));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "self-signed certificate";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "unknown CA " + shown(X509_get_issuer_name(certificate));
    default:
      return which + ": " + X509_verify_cert_error_string(error);
  }
}

}  // namespace

std::string system_bundle() {
  for (const char* path : kSystemBundles) {
    if (::access(path, F_OK) == 0) return path;
  }
  return kSystemBundles.front();
}

Result<TlsContext> make_tls_context(const std::string& ca_file) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);  // RFC 8461 7.2, RFC 8996
  // A resumed session would bring its old verdict along, and the certificate would not be checked.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  const auto trusted =
      trust(SSL_CTX_get_cert_store(native), ca_file.empty() ? system_bundle() : ca_file);
  if (!trusted) return tl::unexpected(trusted.error());
  return context;
}

CertificateFault expect_host(TlsStream& stream, const std::string& host) {
  SSL* native = stream.native_handle();
  if (SSL_set_tlsext_host_name(native, host.c_str()) != 1) return nullptr;
  SSL_set_hostflags(native,
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (SSL_set1_host(native, host.c_str()) != 1) return nullptr;
  stream.set_verify_mode(ssl::verify_peer);
  auto fault = std::make_shared<std::string>();
  stream.set_verify_callback([fault, host](bool good, ssl::verify_context& check) {
    if (!good) *fault = certificate_cause(check.native_handle(), host);
    return good;
  });
  return fault;
}

bool is_closed(const boost::system::error_code& error) {
  return error == boost::asio::error::eof || error == ssl::error::stream_truncated ||
         error == boost::asio::error::connection_reset;
}

std::string handshake_cause(const boost::system::error_code& error, const CertificateFault& fault) {
  if (!fault->empty()) return *fault;
  if (is_closed(error)) return "connection closed in the TLS handshake";
  if (error.category() != boost::asio::error::get_ssl_category()) {
    return "TLS handshake: " + error.message();
  }
  switch (ERR_GET_REASON(static_cast<unsigned long>(error.value()))) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "TLS 1.2 or later is not offered";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
#ifdef SSL_R_RECORD_LAYER_FAILURE  // since OpenSSL 3.2
    case SSL_R_RECORD_LAYER_FAILURE:
#endif
      return "no TLS is spoken there";
    default:
      return "TLS handshake: " + escape(error.message());
  }
}

}  // namespace sealane
