// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/revive.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <utility>

#include "common/posix/unix_socket.h"
#include "supervisor/listener/owner_probe.h"
#include "supervisor/listener/sight.h"
#include "supervisor/listener/spare_link.h"

namespace perch::listener {
namespace {

std::unexpected<NotRevived> stale(std::string why) {
  return std::unexpected(NotRevived{NotRevived::Kind::Stale, std::move(why)});
}
std::unexpected<NotRevived> elsewhere(const SocketDirectory& directory) {
  return std::unexpected(
      NotRevived{NotRevived::Kind::Elsewhere,
                 "lock " + directory.path_of(directory.lock_name()) + " was removed or replaced"});
}
std::unexpected<NotRevived> cannot_tell(std::string why) {
  return std::unexpected(NotRevived{NotRevived::Kind::CannotTell, std::move(why)});
}

constexpr const char* kShutDown = "it does not listen any more";

bool has_option(int socket, int option, int wanted) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

// A socket that was shut down says that it listens, and hangs up.
bool listens(int socket) {
  if (!has_option(socket, SO_DOMAIN, AF_UNIX) || !has_option(socket, SO_TYPE, SOCK_STREAM) ||
      !has_option(socket, SO_ACCEPTCONN, 1)) {
    return false;
  }
  pollfd state{.fd = socket, .events = POLLRDHUP, .revents = 0};
  ::poll(&state, 1, 0);  // where it fails, it saw nothing
  return (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
}

bool has_name(int socket, const std::string& abstract_name) {
  const auto wanted = unix_address(abstract_name);
  UnixAddress bound;
  bound.size = sizeof bound.raw;
  auto* const raw = reinterpret_cast<sockaddr*>(&bound.raw);  // NOLINT: the sockets API's own cast
  return wanted && ::getsockname(socket, raw, &bound.size) == 0 && bound.size == wanted->size &&
         std::memcmp(&bound.raw, &wanted->raw, bound.size) == 0;
}

// No directory, no permission, or a file system that is not to be used: the socket may be as good
// as before.
std::unexpected<NotRevived> without_directory(Obstacle obstacle) {
  if (auto* refusal = std::get_if<Refused>(&obstacle)) return cannot_tell(std::move(refusal->why));
  return cannot_tell(std::get<Error>(obstacle).text());
}

// A lock that is another's, or that excludes nobody, protects nothing that could be taken up.
std::unexpected<NotRevived> without_lock(Obstacle obstacle) {
  if (auto* owner = std::get_if<Owned>(&obstacle)) return stale("its lock is held by " + owner->by);
  if (auto* refusal = std::get_if<Refused>(&obstacle)) return stale(std::move(refusal->why));
  return cannot_tell(std::get<Error>(obstacle).text());
}

// Found by name, since a descriptor that comes from another mount of the directory cannot be linked
// there.
std::expected<PinnedFile, NotRevived> find(const SocketDirectory& directory, FileId id) {
  for (const std::string& name : {directory.basename(), directory.spare_name()}) {
    auto found = directory.pin(name);
    if (!found) return cannot_tell(found.error().text());
    if (*found && (*found)->id == id) return *std::move(*found);
  }
  return stale("its socket file was removed or replaced, and so was its spare link");
}

bool make_spare(const SocketDirectory& directory, const PinnedFile& file) {
  auto spare = make_spare_link(directory, file);
  if (spare) spare->keep();
  return spare.has_value();
}

std::unexpected<NotRevived> displaced_by(const PinnedFile& other) {
  const Probe probe = probe_owner(other);
  if (probe.liveness == Liveness::Live) return stale("a live socket stands at its path");
  return cannot_tell(Error::from_errno(probe.error, "probe the socket at its path").text());
}

// Whatever else is wrong there the guardian can put right.
std::expected<void, NotRevived> check_path(const Listener& listener) {
  const auto look = look_at(listener, Listens::Yes);
  if (!look) return cannot_tell(look.error().text());
  const Remedy remedy = remedy_for(look->sight);
  if (remedy == Remedy::Yield) return displaced_by(*look->found);
  if (remedy == Remedy::ClaimAnew) return stale("its directory was replaced");
  return {};
}

std::expected<Listener, NotRevived> revive_abstract(KeptListener kept,
                                                    const ClaimRequest& request) {
  if (!listens(kept.socket.get())) return stale(kShutDown);
  if (!has_name(kept.socket.get(), request.path)) return stale("it has another name");
  return Listener({.socket = std::move(kept.socket),
                   .file = std::nullopt,
                   .directory = std::nullopt,
                   .lock = std::nullopt,
                   .request = request,
                   .claimed = ClaimedAs::Revived,
                   .healable = false});
}

// Its path stays, whatever comes: a claim will want to replace it without a gap.
std::expected<Listener, NotRevived> revive_at_path(KeptListener kept, const ClaimRequest& request,
                                                   PathLock lock, SocketDirectory directory) {
  if (!listens(kept.socket.get())) return stale(kShutDown);
  auto known = PinnedFile::of(std::move(kept.file));
  if (!known || !known->is_socket()) return stale("its socket file is not known");
  auto file = find(directory, known->id);
  if (!file) return std::unexpected(std::move(file.error()));
  const bool healable = make_spare(directory, *file);
  Listener listener({.socket = std::move(kept.socket),
                     .file = *std::move(file),
                     .directory = std::move(directory),
                     .lock = std::move(lock),
                     .request = request,
                     .claimed = ClaimedAs::Revived,
                     .healable = healable});
  listener.set_on_exit(config::OnExit::Keep);
  if (auto fit = check_path(listener); !fit) return std::unexpected(std::move(fit.error()));
  listener.set_on_exit(request.on_exit);
  return listener;
}

}  // namespace

std::vector<int> descriptors_to_keep(const Listener& listener) {
  const auto& parts = listener.parts();
  if (!parts.file || !parts.lock) return {listener.fd()};
  return {listener.fd(), parts.file->fd.get(), parts.lock->fd()};
}

std::expected<Listener, NotRevived> revive(KeptListener kept, const ClaimRequest& request) {
  if (is_abstract(request.path)) return revive_abstract(std::move(kept), request);
  auto directory = SocketDirectory::open(request.path);
  if (!directory) return without_directory(std::move(directory.error()));
  const UniqueFd lock_copy(::fcntl(kept.lock.get(), F_DUPFD_CLOEXEC, 0));
  if (!lock_copy) return cannot_tell(Error::from_errno(errno, "copy its lock").text());
  auto lock = PathLock::adopt(std::move(kept.lock), *directory);
  if (!lock) return without_lock(std::move(lock.error()));
  if (!*lock) return elsewhere(*directory);
  auto revived = revive_at_path(std::move(kept), request, **std::move(lock), *std::move(directory));
  // For all who have a copy of it, the keeper too.
  const bool is_stale = !revived && revived.error().kind == NotRevived::Kind::Stale;
  if (is_stale) ::flock(lock_copy.get(), LOCK_UN);
  return revived;
}

}  // namespace perch::listener
