// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/exchange.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "supervisor/listener/owner_probe.h"

namespace perch::listener {
namespace {

// How often somebody may come between before we leave things as they are.
constexpr int kRounds = 8;

// 0 or errno.
int rename_to_path(const SocketDirectory& directory, const std::string& temporary, unsigned flags) {
  const int result = ::renameat2(directory.fd(), temporary.c_str(), directory.fd(),
                                 directory.basename().c_str(), flags);
  return result == 0 ? 0 : errno;
}

// For file systems without RENAME_EXCHANGE. A daemon that binds between the probe and the rename
// would lose its name: that is why it is the last resort.
Attempt<Exchange> rename_over_stale(const SocketDirectory& directory, const std::string& temporary,
                                    const PinnedFile& stale, Whose whose) {
  const auto now = directory.pin(directory.basename());
  if (!now) return failed(now.error());
  if (!*now || (*now)->id != stale.id) return Exchange::Changed;
  const bool is_stale = whose == Whose::Ours || probe_owner(**now).liveness == Liveness::Stale;
  if (!is_stale) return Exchange::Changed;
  if (const int number = rename_to_path(directory, temporary, 0); number != 0) {
    return failed(Error::from_errno(number, "rename over the stale socket"));
  }
  return Exchange::InPlace;
}

Attempt<Exchange> without_exchange(const SocketDirectory& directory, const std::string& temporary,
                                   const PinnedFile& stale, int number, Whose whose) {
  switch (number) {
    case ENOENT:
      return Exchange::Changed;
    case EINVAL:
    case ENOSYS:
      return rename_over_stale(directory, temporary, stale, whose);
    case EPERM:
    case EACCES:
      return refused(directory.path() + " is a stale socket of uid " + std::to_string(stale.owner) +
                     " which uid " + std::to_string(::geteuid()) +
                     " may not replace in this directory: remove it as that user");
    default:
      return failed(Error::from_errno(number, "exchange with the stale socket"));
  }
}

// What is still under the temporary name goes only if it is dead; the caller removes our own.
void clear_temporary(const SocketDirectory& directory, const std::string& temporary, FileId ours,
                     Warnings& warnings) {
  const auto left = directory.pin(temporary);
  if (!left || !*left || (*left)->id == ours) return;
  if ((*left)->is_socket() && probe_owner(**left).liveness == Liveness::Stale) {
    directory.remove_if(temporary, (*left)->id);
    return;
  }
  warnings.push_back(directory.path() +
                     ": several daemons bind this path at once; one was left as " +
                     directory.path_of(temporary));
}

// `displaced` is under the temporary name and ours in its place. Exchanged until what comes out is
// what we put there last: then nobody came between, and the latest comer has the path.
void put_back(const SocketDirectory& directory, const std::string& temporary, FileId ours,
              PinnedFile displaced, Warnings& warnings) {
  FileId last_put = ours;
  for (int round = 0; round < kRounds; ++round) {
    const int number = rename_to_path(directory, temporary, RENAME_EXCHANGE);
    if (number == ENOENT && rename_to_path(directory, temporary, RENAME_NOREPLACE) == 0) return;
    if (number != 0) continue;
    auto out = directory.pin(temporary);
    if (!out || !*out || (*out)->id == last_put) break;
    last_put = std::exchange(displaced, std::move(**out)).id;
  }
  clear_temporary(directory, temporary, ours, warnings);
}

}  // namespace

Attempt<Exchange> exchange_for_stale(const SocketDirectory& directory, const std::string& temporary,
                                     FileId ours, const PinnedFile& stale, Warnings& warnings,
                                     Whose whose) {
  const int number = rename_to_path(directory, temporary, RENAME_EXCHANGE);
  if (number != 0) return without_exchange(directory, temporary, stale, number, whose);
  auto out = directory.pin(temporary);
  if (!out) {
    rename_to_path(directory, temporary, RENAME_EXCHANGE);  // unseen, hence not ours to keep
    return failed(std::move(out.error()));
  }
  if (!*out || (*out)->id == stale.id) {
    directory.remove_if(temporary, stale.id);
    return Exchange::InPlace;
  }
  put_back(directory, temporary, ours, std::move(**out), warnings);
  return Exchange::Changed;
}

}  // namespace perch::listener
