// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/socket_ways.h"

#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/descriptor.h"
#include "base/text.h"
#include "server/netstring.h"
#include "server/postfix_reply.h"

namespace sealane::doctor {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnix = "unix:";
/// Groups of one account at most; the kernel's own limit (NGROUPS_MAX).
constexpr int kMaxGroups = 65'536;
/// Longest answer that is waited for, in octets: NOTFOUND, or the refusal of a map name.
constexpr std::size_t kMaxContactReply = 4096;

/// A socket's address in the form of connect(2).
struct Target {
  sockaddr_storage name{};
  socklen_t size = 0;
};

std::optional<Target> target_of_path(const std::string& path) {
  Target target;
  auto* name = reinterpret_cast<sockaddr_un*>(&target.name);
  name->sun_family = AF_UNIX;
  if (path.empty() || path.size() > kMaxSocketPath) return std::nullopt;
  std::memcpy(name->sun_path, path.data(), path.size());
  target.size = sizeof(sockaddr_un);
  return target;
}

std::optional<Target> target_of_host(std::string_view inet_address) {
  std::string text(inet_address);
  constexpr std::string_view kLocalhost = "inet:localhost:";
  if (text.starts_with(kLocalhost)) text.replace(0, kLocalhost.size(), "inet:127.0.0.1:");
  const auto address = parse_listen_address(text);
  if (!address || address->is_unix()) return std::nullopt;
  Target target;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&target.name);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&target.name);
  if (::inet_pton(AF_INET, address->host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address->port);
    target.size = sizeof(sockaddr_in);
    return target;
  }
  if (::inet_pton(AF_INET6, address->host.c_str(), &v6->sin6_addr) != 1) return std::nullopt;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(address->port);
  target.size = sizeof(sockaddr_in6);
  return target;
}

/// Whether these octets are, so far, a socketmap answer; nothing yet if more must come.
std::optional<bool> is_answer(std::string_view octets) {
  const Netstring parsed = parse_netstring(octets, kMaxContactReply);
  if (parsed.status == Netstring::Status::junk) return false;
  if (parsed.status == Netstring::Status::incomplete) return std::nullopt;
  constexpr std::array<std::string_view, 5> kWords{"OK ", "NOTFOUND", "TEMP", "TIMEOUT", "PERM"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return parsed.payload.starts_with(word); });
}

/// Asks for the key ".", which the daemon answers without looking anything up.
Contact converse(int descriptor, const std::string& map_name) {
  std::string question;
  append_netstring(question, map_name + " .");
  if (::send(descriptor, question.data(), question.size(), MSG_NOSIGNAL) < 0) {
    return Contact::foreign;
  }
  std::string octets;
  std::array<char, 512> room;
  while (octets.size() < kMaxContactReply) {
    const ssize_t got = ::recv(descriptor, room.data(), room.size(), 0);
    if (got <= 0) break;
    octets.append(room.data(), static_cast<std::size_t>(got));
    const std::optional<bool> judged = is_answer(octets);
    if (judged) return *judged ? Contact::answered : Contact::foreign;
  }
  return Contact::foreign;
}

Contact contact(const Target& target, const std::string& map_name) {
  const Descriptor socket(::socket(target.name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{kContactPatience.count(), 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const auto* name = reinterpret_cast<const sockaddr*>(&target.name);
  if (::connect(socket.get(), name, target.size) == 0) return converse(socket.get(), map_name);
  return errno == EACCES || errno == EPERM ? Contact::denied : Contact::absent;
}

std::optional<Account> account_named(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) return std::nullopt;
  Account account{entry->pw_uid, std::vector<gid_t>(64)};
  auto count = static_cast<int>(account.groups.size());
  while (::getgrouplist(name.c_str(), entry->pw_gid, account.groups.data(), &count) < 0) {
    if (count > kMaxGroups) return std::nullopt;
    account.groups.resize(static_cast<std::size_t>(count));
  }
  account.groups.resize(static_cast<std::size_t>(count));
  return account;
}

/// Tries from a child process with the account's rights, beginning in the directory `start`: what
/// is above it does not count for a process that stands there.  Nothing if this process may not
/// take on other rights.
std::optional<Contact> contact_as(const Account& account, const std::string& start,
                                  const Target& target, const std::string& map_name) {
  constexpr int kCannotBecome = 100;  // no Contact has this number
  const pid_t child = ::geteuid() == 0 ? ::fork() : -1;
  if (child < 0) return std::nullopt;
  if (child == 0) {
    const bool became = ::chdir(start.c_str()) == 0 &&
                        ::setgroups(account.groups.size(), account.groups.data()) == 0 &&
                        ::setgid(account.groups.front()) == 0 && ::setuid(account.user) == 0;
    ::_exit(became ? static_cast<int>(contact(target, map_name)) : kCannotBecome);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) == kCannotBecome) return std::nullopt;
  return static_cast<Contact>(WEXITSTATUS(status));
}

bool lets_pass(const struct stat& file, mode_t right, const Account& account) {
  if (account.user == 0) return true;
  if (file.st_uid == account.user) return (file.st_mode & (right << 6)) != 0;
  const bool in_group =
      std::find(account.groups.begin(), account.groups.end(), file.st_gid) != account.groups.end();
  return (file.st_mode & (in_group ? right << 3 : right)) != 0;
}

/// One path by itself, and where two of them name the same file.
bool same_file(const std::string& a, const std::string& b) {
  if (fs::path(a).lexically_normal() == fs::path(b).lexically_normal()) return true;
  std::error_code problem;
  return fs::equivalent(a, b, problem) && !problem;
}

bool listens_on(const std::string& path, std::span<const ListenAddress> listeners) {
  return std::any_of(listeners.begin(), listeners.end(), [&path](const ListenAddress& listener) {
    return listener.is_unix() && same_file(listener.path, path);
  });
}

class Tracer {
 public:
  Tracer(const PostfixFacts& postfix, std::span<const ListenAddress> listeners)
      : listeners_(listeners),
        queue_(postfix.value("queue_directory")),
        account_(account_named(std::string(postfix.value("mail_owner")))) {}

  Way trace(const PolicyTable& table, const Service& service) const {
    Way way;
    way.service = service.name;
    way.address = table.address;
    if (!table.address.starts_with(kUnix)) {
      way.is_listener = listens_at(table.address, listeners_);
      const auto target = target_of_host(table.address);
      way.contact = target ? contact(*target, table.map_name) : Contact::absent;
      return way;
    }
    const bool chroot = service.chroot && !table.proxied;
    way.path = socket_path(table.address, queue_, chroot);
    way.is_listener = listens_on(way.path, listeners_);
    const std::string outside = socket_path(table.address, queue_, false);
    way.chroot_misses = chroot && way.path != outside && !way.is_listener;
    try_path(way, table.map_name);
    return way;
  }

 private:
  void try_path(Way& way, const std::string& map_name) const {
    const bool is_below = way.path.starts_with(queue_ + "/");
    const std::string start = is_below ? queue_ : "/";
    const auto target = target_of_path(way.path.substr(start.size() + (is_below ? 1 : 0)));
    if (!target) {
      way.contact = Contact::absent;
      return;
    }
    const std::string obstacle = account_ ? obstacle_on(way.path, start, *account_) : "";
    const auto tried = account_ ? contact_as(*account_, start, *target, map_name) : std::nullopt;
    way.contact = tried ? *tried : judged_by_rights(way.path, obstacle);
    if (way.contact == Contact::denied) way.obstacle = obstacle.empty() ? way.path : obstacle;
  }

  /// What this user may is not what Postfix may: only absence and the files' rights can be seen.
  static Contact judged_by_rights(const std::string& path, const std::string& obstacle) {
    if (!obstacle.empty()) return Contact::denied;
    const bool is_absent = ::access(path.c_str(), F_OK) != 0 && errno == ENOENT;
    return is_absent ? Contact::absent : Contact::answered;
  }

  std::span<const ListenAddress> listeners_;
  std::string queue_;
  std::optional<Account> account_;
};

}  // namespace

bool listens_at(std::string_view inet_address, std::span<const ListenAddress> listeners) {
  const auto wanted = parse_listen_address(inet_address);
  // Postfix takes names and names of ports too; "localhost" is the only one that is common.
  constexpr std::string_view kLocalhost = "inet:localhost:";
  const bool is_local = inet_address.starts_with(kLocalhost);
  for (const ListenAddress& listener : listeners) {
    if (listener.is_unix()) continue;
    const bool is_loopback = listener.host == "127.0.0.1" || listener.host == "::1";
    const bool is_any = listener.host == "0.0.0.0" || listener.host == "::";
    const bool same_text =
        is_local && inet_address.substr(kLocalhost.size()) == std::to_string(listener.port);
    if (same_text && (is_loopback || is_any)) return true;
    const bool same_port = wanted && !wanted->is_unix() && wanted->port == listener.port;
    if (same_port && (is_any || wanted->host == listener.host)) return true;
  }
  return false;
}

std::string socket_path(std::string_view unix_address, std::string_view queue_directory,
                        bool chroot) {
  std::string_view path = unix_address.substr(std::min(kUnix.size(), unix_address.size()));
  const bool is_absolute = path.starts_with('/');
  if (is_absolute && !chroot) return fs::path(path).lexically_normal();
  return (fs::path(queue_directory) / fs::path(path).relative_path()).lexically_normal();
}

std::string obstacle_on(const std::string& path, const std::string& start, const Account& account) {
  fs::path here(start);
  const fs::path rest = fs::path(path).lexically_relative(start);
  struct stat file {};
  for (const fs::path& part : rest) {
    if (::stat(here.c_str(), &file) != 0) return {};
    if (!lets_pass(file, S_IXOTH, account)) return here;
    here /= part;
  }
  if (::stat(here.c_str(), &file) != 0) return {};
  return lets_pass(file, S_IWOTH, account) ? "" : here.string();
}

void trace_ways(PostfixFacts& postfix, std::span<const ListenAddress> listeners) {
  const Tracer tracer(postfix, listeners);
  for (PolicyTable& table : postfix.tables) {
    if (table.type != "socketmap") continue;
    std::vector<Way> ways;
    for (const Service& service : postfix.services) ways.push_back(tracer.trace(table, service));
    table.is_ours =
        dialect_named(table.map_name).has_value() ||
        std::any_of(ways.begin(), ways.end(), [](const Way& w) { return w.is_listener; });
    if (table.is_ours) postfix.ways.insert(postfix.ways.end(), ways.begin(), ways.end());
  }
}

}  // namespace sealane::doctor
