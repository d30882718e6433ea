// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/take_path.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <expected>
#include <utility>

#include "common/posix/unix_socket.h"
#include "supervisor/listener/backlog.h"
#include "supervisor/listener/exchange.h"
#include "supervisor/listener/made_name.h"
#include "supervisor/listener/owner_probe.h"
#include "supervisor/listener/spare_link.h"
#include "supervisor/listener/temporary_name.h"

namespace perch::listener {
namespace {

using Spare = std::expected<MadeName, std::string>;

// The inode is born with the mode the socket has, less the umask.
Result<void> bind_with_mode(int socket, const UnixAddress& address, std::optional<mode_t> mode) {
  const mode_t umask_before = ::umask(0);
  int number = 0;
  if (::fchmod(socket, mode.value_or(0777U & ~umask_before)) != 0 ||
      ::bind(socket, address.get(), address.size) != 0) {
    number = errno;
  }
  ::umask(umask_before);
  if (number != 0) return fail("bind", number);
  return {};
}

// Blocking is set at each hand-out, since the description is shared with the workers.
Result<UniqueFd> bound_socket(const std::string& path, const ClaimRequest& request) {
  const auto address = unix_address(path);
  if (!address) return std::unexpected(address.error());
  auto socket = unix_socket(request.socket_type, Blocking::No);
  if (!socket) return socket;
  if (auto bound = bind_with_mode(socket->get(), *address, request.mode); !bound) {
    return std::unexpected(std::move(bound.error()));
  }
  return socket;
}

bool leads_to(const std::string& path, FileId id) {
  struct stat found{};
  return ::lstat(path.c_str(), &found) == 0 &&
         id == FileId{.device = found.st_dev, .inode = found.st_ino};
}

// The kernel's own word for which file the socket is bound to (SIOCUNIXFILE, unix(7)); it is given
// to those with CAP_NET_ADMIN, the others have to believe the name.
bool is_bound_elsewhere(int socket, FileId id) {
  const UniqueFd bound(::ioctl(socket, SIOCPROTOPRIVATE));
  const auto found = bound ? file_id(bound.get()) : std::nullopt;
  return found && *found != id;
}

// bind() went by the whole path, all else goes by the directory: both must mean the same file.
// Nothing: somebody replaced the file, or a parent directory, right after the bind.
Result<std::optional<PinnedFile>> pin_bound_file(const ClaimSite& site, int socket) {
  auto file = site.directory.pin(site.directory.basename());
  if (!file || !*file) return file;
  const FileId id = (*file)->id;
  if (!leads_to(site.directory.path(), id) || is_bound_elsewhere(socket, id)) return std::nullopt;
  return file;
}

// Whoever gave the old socket to another user or group meant the path. It may be more than perch is
// allowed to.
void inherit_owner(const PinnedFile& file, const ClaimRequest& request, const PinnedFile& old) {
  struct stat had{};
  struct stat has{};
  if (::fstat(old.fd.get(), &had) != 0 || ::fstat(file.fd.get(), &has) != 0) return;
  const bool keep_uid = request.uid || had.st_uid == has.st_uid;
  const bool keep_gid = request.gid || had.st_gid == has.st_gid;
  if (keep_uid && keep_gid) return;
  [[maybe_unused]] const int as_far_as_may_be =
      ::fchownat(file.fd.get(), "", keep_uid ? static_cast<uid_t>(-1) : had.st_uid,
                 keep_gid ? static_cast<gid_t>(-1) : had.st_gid, AT_EMPTY_PATH);
}

// A default ACL of the directory may have taken bits of the mode. The owner comes last: who gives a
// file away may not chmod it any more.
Result<void> give_rights(const ClaimSite& site, const PinnedFile& file) {
  const ClaimRequest& request = site.request;
  if (request.mode && ::chmod(file.proc_path().c_str(), *request.mode) != 0) return fail("chmod");
  if (site.predecessor != nullptr) inherit_owner(file, request, *site.predecessor);
  if (!request.uid && !request.gid) return {};
  const uid_t uid = request.uid.value_or(static_cast<uid_t>(-1));
  const gid_t gid = request.gid.value_or(static_cast<gid_t>(-1));
  if (::fchownat(file.fd.get(), "", uid, gid, AT_EMPTY_PATH) != 0) {
    return fail("give the socket to its user and group (needs CAP_CHOWN)");
  }
  return {};
}

// In this order: a link to a file that was given away is forbidden, and who can reach a listening
// socket must find its rights in place.
Result<Spare> complete(const ClaimSite& site, int socket, const PinnedFile& file) {
  Spare spare = make_spare_link(site.directory, file);
  if (auto given = give_rights(site, file); !given) {
    return std::unexpected(std::move(given.error()));
  }
  if (auto listening = listen_on(socket, site.request.backlog); !listening) {
    return std::unexpected(std::move(listening.error()));
  }
  return spare;
}

TakenPath taken(UniqueFd socket, PinnedFile file, ClaimedAs claimed, Spare spare) {
  if (spare) spare->keep();
  return {.socket = std::move(socket),
          .file = std::move(file),
          .claimed = claimed,
          .spare_problem = spare ? std::string() : std::move(spare.error())};
}

struct TemporarySocket {
  UniqueFd socket;
  std::string name;
};

Attempt<TemporarySocket> bind_temporary_name(const ClaimSite& site) {
  for (int number = 0; number < kTemporaryNames; ++number) {
    std::string name = temporary_name(site.lock_inode, number);
    auto socket = bound_socket(site.directory.short_path_of(name), site.request);
    if (socket) return TemporarySocket{.socket = std::move(*socket), .name = std::move(name)};
    if (!socket.error().is(EADDRINUSE)) return failed(std::move(socket.error()));
  }
  return refused(site.directory.path_of(temporary_name(site.lock_inode, 0)) +
                 " and its like are in use: stop who holds them, or remove them");
}

}  // namespace

Attempt<std::optional<TakenPath>> bind_free_path(const ClaimSite& site) {
  auto socket = bound_socket(site.directory.path(), site.request);
  if (!socket && socket.error().is(EADDRINUSE)) return std::nullopt;
  if (!socket) return failed(std::move(socket.error()));
  auto file = pin_bound_file(site, socket->get());
  if (!file) return failed(std::move(file.error()));
  if (!*file) return std::nullopt;
  MadeName name(site.directory, site.directory.basename(), (*file)->id);
  auto spare = complete(site, socket->get(), **file);
  if (!spare) return failed(std::move(spare.error()));
  name.keep();
  return taken(std::move(*socket), std::move(**file), ClaimedAs::Bound, std::move(*spare));
}

Attempt<std::optional<TakenPath>> replace_stale_socket(const ClaimSite& site,
                                                       const PinnedFile& stale) {
  auto bound = bind_temporary_name(site);
  if (!bound) return std::unexpected(std::move(bound.error()));
  auto file = site.directory.pin(bound->name);
  if (!file) return failed(std::move(file.error()));
  if (!*file) return std::nullopt;
  const MadeName temporary(site.directory, bound->name, (*file)->id);
  auto spare = complete(site, bound->socket.get(), **file);
  if (!spare) return failed(std::move(spare.error()));
  const bool is_our_own = site.predecessor != nullptr && site.predecessor->id == stale.id;
  const auto exchanged =
      exchange_for_stale(site.directory, bound->name, (*file)->id, stale, site.warnings,
                         is_our_own ? Whose::Ours : Whose::Nobodys);
  if (!exchanged) return std::unexpected(exchanged.error());
  if (*exchanged == Exchange::Changed) return std::nullopt;
  return taken(std::move(bound->socket), std::move(**file), ClaimedAs::ReplacedStale,
               std::move(*spare));
}

void remove_left_over_names(const ClaimSite& site) {
  for (int number = 0; number < kTemporaryNames; ++number) {
    const std::string name = temporary_name(site.lock_inode, number);
    const auto found = site.directory.pin(name);
    if (!found || !*found || !(*found)->is_socket()) continue;
    if (probe_owner(**found).liveness == Liveness::Stale) {
      site.directory.remove_if(name, (*found)->id);
    }
  }
}

}  // namespace perch::listener
