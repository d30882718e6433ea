// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/sight.h"

#include <sys/stat.h>

#include <utility>

#include "supervisor/listener/owner_probe.h"

namespace perch::listener {
namespace {

AtPath classify(const std::optional<PinnedFile>& found, FileId ours) {
  if (!found) return AtPath::Nothing;
  if (found->id == ours) return AtPath::Ours;
  if (!found->is_socket()) return AtPath::OtherFile;
  return probe_owner(*found).liveness == Liveness::Stale ? AtPath::DeadSocket : AtPath::LiveSocket;
}

bool has_spare(const Listener& listener) {
  if (!listener.parts().healable) return true;
  const SocketDirectory& directory = *listener.parts().directory;
  const auto spare = directory.pin(directory.spare_name());
  // What cannot be looked at just now is not known to be wrong.
  return !spare || (*spare && (*spare)->id == listener.parts().file->id);
}

// The path is ours: what else there is to put right.
Remedy remedy_at_ours(const Sight& sight) {
  if (!sight.has_mode) return Remedy::RestoreMode;
  return sight.has_spare ? Remedy::None : Remedy::RestoreSpare;
}

}  // namespace

Remedy remedy_for(const Sight& sight) {
  if (sight.abstract) return sight.listens ? Remedy::None : Remedy::Yield;
  if (!sight.same_directory) return Remedy::ClaimAnew;
  const bool usable = sight.listens && sight.has_name;
  switch (sight.at_path) {
    case AtPath::Ours:
      return usable ? remedy_at_ours(sight) : Remedy::ClaimAnew;
    case AtPath::Nothing:
      return usable ? Remedy::LinkBack : Remedy::ClaimAnew;
    case AtPath::DeadSocket:
      return usable ? Remedy::ExchangeBack : Remedy::ClaimAnew;
    case AtPath::LiveSocket:
      return Remedy::Yield;
    case AtPath::OtherFile:
      return Remedy::Displace;
  }
  return Remedy::None;
}

Result<Look> look_at(const Listener& listener, Listens listens) {
  Look look;
  look.sight.listens = listens == Listens::Yes;
  look.sight.abstract = !listener.parts().file;
  if (look.sight.abstract) return look;
  const SocketDirectory& directory = *listener.parts().directory;
  const PinnedFile& file = *listener.parts().file;
  auto found = directory.pin(directory.basename());
  if (!found) return std::unexpected(std::move(found.error()));
  struct stat own{};
  if (::fstat(file.fd.get(), &own) != 0) return fail("fstat");
  look.found = std::move(*found);
  look.sight.at_path = classify(look.found, file.id);
  look.sight.same_directory = directory.is_at_its_path();
  look.sight.has_name = own.st_nlink > 0;
  look.sight.has_spare = has_spare(listener);
  const auto wanted = listener.parts().request.mode;
  look.sight.has_mode = !wanted || *wanted == (own.st_mode & 07777U);
  return look;
}

}  // namespace perch::listener
