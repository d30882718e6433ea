// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/claim.h"

#include <utility>

#include "common/posix/unix_socket.h"
#include "supervisor/listener/backlog.h"
#include "supervisor/listener/owner_probe.h"
#include "supervisor/listener/path_lock.h"
#include "supervisor/listener/socket_directory.h"
#include "supervisor/listener/take_path.h"

namespace perch::listener {
namespace {

// How often the path may change between the look at it and the taking of it.
constexpr int kRetries = 5;

// The stale socket at the path, or nothing if the path is free; all else is an obstacle. What perch
// itself has there already, and no longer wants, is as good as stale.
Attempt<std::optional<PinnedFile>> look(const ClaimSite& site) {
  const SocketDirectory& directory = site.directory;
  auto found = directory.pin(directory.basename());
  if (!found) return failed(std::move(found.error()));
  if (!*found) return std::move(*found);
  const PinnedFile& file = **found;
  if (site.predecessor != nullptr && site.predecessor->id == file.id) return std::move(*found);
  if (!file.is_socket()) {
    return refused(directory.path() + " is " + file.type_name() +
                   ", which perch neither follows nor removes: move it away, or use another path");
  }
  const Probe probe = probe_owner(file);
  switch (probe.liveness) {
    case Liveness::Stale:
      return std::move(*found);
    case Liveness::Live:
      return owned(describe_owner(directory.path()));
    case Liveness::Unknown:
      break;
  }
  return owned("a socket that may be live (" + Error::from_errno(probe.error, "probe").text() +
               ")");
}

Attempt<TakenPath> take(const ClaimSite& site) {
  for (int attempt = 0; attempt <= kRetries; ++attempt) {
    auto stale = look(site);
    if (!stale) return std::unexpected(std::move(stale.error()));
    auto path = *stale ? replace_stale_socket(site, **stale) : bind_free_path(site);
    if (!path) return std::unexpected(std::move(path.error()));
    if (*path) return std::move(**path);
  }
  return owned("somebody who keeps binding it anew");
}

void warn_of_limits(const ClaimRequest& request, const std::string& spare_problem,
                    Warnings& warnings) {
  if (auto capped = backlog_warning(request.path, request.backlog)) {
    warnings.push_back(std::move(*capped));
  }
  if (!spare_problem.empty()) {
    warnings.push_back(request.path + ": no spare link (" + spare_problem +
                       "): once removed, the path cannot be healed");
  }
}

Listener listener_at(TakenPath path, SocketDirectory directory, PathLock lock,
                     const ClaimRequest& request) {
  return Listener({.socket = std::move(path.socket),
                   .file = std::move(path.file),
                   .directory = std::move(directory),
                   .lock = std::move(lock),
                   .request = request,
                   .claimed = path.claimed,
                   .healable = path.spare_problem.empty()});
}

Attempt<Listener> claim_path(const ClaimRequest& request, Warnings& warnings) {
  auto directory = SocketDirectory::open(request.path);
  if (!directory) return std::unexpected(std::move(directory.error()));
  auto lock = PathLock::try_lock(*directory);
  if (!lock) return std::unexpected(std::move(lock.error()));
  const ClaimSite site{*directory, lock->inode(), request, warnings};
  remove_left_over_names(site);
  auto path = take(site);
  if (!path) return std::unexpected(std::move(path.error()));
  warn_of_limits(request, path->spare_problem, warnings);
  return listener_at(std::move(*path), std::move(*directory), std::move(*lock), request);
}

// Our own lock, where it still excludes others there: else another one has to be had.
Attempt<std::optional<PathLock>> lock_anew(const Listener& old, const SocketDirectory& directory) {
  if (old.parts().lock && old.parts().lock->is_named_in(directory)) return std::nullopt;
  auto lock = PathLock::try_lock(directory);
  if (!lock) return std::unexpected(std::move(lock.error()));
  return std::move(*lock);
}

// The directory is looked up by its path again: it may be another one.
Attempt<Listener> claim_path_anew(Listener& old, Warnings& warnings) {
  ClaimRequest request = old.parts().request;
  auto directory = SocketDirectory::open(request.path);
  if (!directory) return std::unexpected(std::move(directory.error()));
  auto lock = lock_anew(old, *directory);
  if (!lock) return std::unexpected(std::move(lock.error()));
  if (!request.mode) request.mode = old.mode();
  const PinnedFile& predecessor = *old.parts().file;
  const ino_t lock_inode = *lock ? (*lock)->inode() : old.parts().lock->inode();
  const ClaimSite site{*directory, lock_inode, request, warnings, &predecessor};
  remove_left_over_names(site);
  directory->remove_if(directory->spare_name(), predecessor.id);
  auto path = take(site);
  if (!path) return std::unexpected(std::move(path.error()));
  if (!*lock) *lock = old.take_lock();
  return listener_at(std::move(*path), std::move(*directory), std::move(**lock),
                     old.parts().request);
}

// No file, hence no lock, no stale state, no rights, nothing to heal. One name space for all of the
// network namespace.
Attempt<Listener> claim_abstract(const ClaimRequest& request, Warnings& warnings) {
  const auto address = unix_address(request.path);
  if (!address) return failed(address.error());
  auto socket = unix_socket(SOCK_STREAM, Blocking::No);
  if (!socket) return failed(std::move(socket.error()));
  if (::bind(socket->get(), address->get(), address->size) != 0) {
    if (errno == EADDRINUSE) return owned(describe_owner(request.path));
    return failed(Error::from_errno(errno, "bind"));
  }
  if (auto listening = listen_on(socket->get(), request.backlog); !listening) {
    return failed(std::move(listening.error()));
  }
  warn_of_limits(request, {}, warnings);
  if (request.mode || request.uid || request.gid) {
    warnings.push_back(request.path +
                       ": an abstract name has no mode and no owner; anybody in the" +
                       " network namespace can connect");
  }
  return Listener({.socket = std::move(*socket),
                   .file = std::nullopt,
                   .directory = std::nullopt,
                   .lock = std::nullopt,
                   .request = request,
                   .claimed = ClaimedAs::Bound,
                   .healable = false});
}

// What to do about a refusal of the system: the end of the line that tells of it.
std::string_view remedy(const Error& error) {
  switch (error.code().value()) {
    case EACCES:
      return "; let perch's user write to the directory, or use another path";
    case EPERM:
      return "; run perch as root, or leave user and group out";
    case EROFS:
      return "; mount the directory writable, or use another path";
    case ENOSPC:
    case EDQUOT:
      return "; free space or inodes there, or use another path";
    default:
      return "";
  }
}

Result<ClaimOutcome> outcome_of(Attempt<Listener> attempt, const std::string& path) {
  if (attempt) return ClaimOutcome(std::move(*attempt));
  Obstacle& obstacle = attempt.error();
  if (auto* owner = std::get_if<Owned>(&obstacle)) return ClaimOutcome(std::move(*owner));
  if (auto* refusal = std::get_if<Refused>(&obstacle)) return ClaimOutcome(std::move(*refusal));
  const Error& error = std::get<Error>(obstacle);
  return refuse("claim " + path + ": " + error.text() + std::string(remedy(error)));
}

}  // namespace

Result<ClaimOutcome> claim(const ClaimRequest& request, Warnings& warnings) {
  return outcome_of(
      is_abstract(request.path) ? claim_abstract(request, warnings) : claim_path(request, warnings),
      request.path);
}

Result<Listener> claim_own(const ClaimRequest& request, const std::string& what,
                           const std::string& otherwise) {
  make_last_directory_of(request.path);
  Warnings unsaid;  // what a spare link or a backlog is worth does not matter here
  auto outcome = claim(request, unsaid);
  if (!outcome) return fail_within(what, std::move(outcome.error()));
  if (const auto* owned = std::get_if<Owned>(&*outcome)) {
    return refuse(what + ": " + request.path + " is held by " + owned->by + "; end that one, or " +
                  otherwise);
  }
  if (const auto* refused = std::get_if<Refused>(&*outcome))
    return refuse(what + ": " + refused->why);
  return std::get<Listener>(std::move(*outcome));
}

Result<ClaimOutcome> claim_anew(Listener& old, Warnings& warnings) {
  PERCH_CHECK(!is_abstract(old.path()));
  return outcome_of(claim_path_anew(old, warnings), old.path());
}

}  // namespace perch::listener
