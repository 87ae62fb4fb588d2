// SPDX-License-Identifier: Apache-2.0
// The policy host of any number of domains: makes the certificate that the client names by SNI on
// the spot, signed by a CA of its own, and answers every request with one policy.
//
//   bench-policyhost CA-FILE POLICY-FILE ADDRESS:PORT...     writes the CA; "ready" when it listens
//
// Blocking on purpose: kThreads threads an address, as many as the daemon's fetches to one.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "process.h"

namespace {

using bench::die;

constexpr int kThreads = 8;
constexpr long kValidSeconds = 24 * 3600;
/// Octets of a request: the daemon's own have some 150.
constexpr int kRoom = 4096;

template <auto Free>
struct With {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, With<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, With<X509_free>>;

struct Authority {
  Key ca_key{EVP_EC_gen("P-256")};
  Key leaf_key{EVP_EC_gen("P-256")};
  Certificate ca;
  std::string reply;
  std::atomic<long> serial = 1;
};

void add_extension(X509* certificate, int what, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
  if (extension == nullptr) die("cannot make an extension: " + value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate make(Authority& authority, const std::string& name, EVP_PKEY* key, bool is_ca) {
  Certificate made(X509_new());
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), authority.serial++);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), kValidSeconds);
  X509_set_pubkey(made.get(), key);
  X509_NAME* subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(is_ca ? "bench CA" : "bench"),
                             -1, -1, 0);
  X509_set_issuer_name(made.get(), is_ca ? subject : X509_get_subject_name(authority.ca.get()));
  if (is_ca) {
    add_extension(made.get(), NID_basic_constraints, "critical,CA:TRUE");
  } else {
    add_extension(made.get(), NID_subject_alt_name, "DNS:" + name);
  }
  if (X509_sign(made.get(), authority.ca_key.get(), EVP_sha256()) == 0) die("cannot sign");
  return made;
}

int on_server_name(SSL* ssl, int*, void* argument) {
  auto& authority = *static_cast<Authority*>(argument);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
  const Certificate leaf = make(authority, name, authority.leaf_key.get(), false);
  const bool used = SSL_use_certificate(ssl, leaf.get()) == 1 &&
                    SSL_use_PrivateKey(ssl, authority.leaf_key.get()) == 1;
  return used ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void talk(SSL* ssl, const std::string& reply) {
  if (SSL_accept(ssl) != 1) return;
  char room[kRoom];
  int filled = 0;
  while (filled < kRoom) {
    const int got = SSL_read(ssl, room + filled, kRoom - filled);
    if (got <= 0) return;
    filled += got;
    if (std::string_view(room, static_cast<std::size_t>(filled)).ends_with("\r\n\r\n")) break;
  }
  SSL_write(ssl, reply.data(), static_cast<int>(reply.size()));
  SSL_shutdown(ssl);
}

void serve(int listener, SSL_CTX* context, const std::string& reply) {
  for (;;) {
    const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) continue;
    const timeval patience{10, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, descriptor);
    talk(ssl, reply);
    SSL_free(ssl);
    ::close(descriptor);
    ERR_clear_error();
  }
}

std::string reply_with(const std::string& policy_file) {
  std::ostringstream policy;
  policy << std::ifstream(policy_file).rdbuf();
  const std::string body = policy.str();
  if (body.empty()) die(policy_file + ": no policy");
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) die("usage: bench-policyhost CA-FILE POLICY-FILE ADDRESS:PORT...");
  std::signal(SIGPIPE, SIG_IGN);
  Authority authority;
  authority.ca = make(authority, {}, authority.ca_key.get(), true);
  authority.reply = reply_with(argv[2]);
  std::FILE* file = std::fopen(argv[1], "w");
  if (file == nullptr || PEM_write_X509(file, authority.ca.get()) != 1 || std::fclose(file) != 0) {
    bench::die_of_errno(argv[1]);
  }

  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
  SSL_CTX_set_tlsext_servername_arg(context, &authority);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  std::vector<std::thread> threads;
  for (int i = 3; i < argc; ++i) {
    const int listener = bench::listen_on(std::string("inet:") + argv[i]);
    for (int n = 0; n < kThreads; ++n) {
      threads.emplace_back(serve, listener, context, std::cref(authority.reply));
    }
  }
  std::puts("ready");
  std::fflush(stdout);
  for (std::thread& thread : threads) thread.join();
}
