// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/spare_link.h"

#include "supervisor/listener/owner_probe.h"

namespace perch::listener {
namespace {

bool is_there(const SocketDirectory& directory, FileId ours) {
  const auto found = directory.pin(directory.spare_name());
  return found && *found && (*found)->id == ours;
}

// Empty when the name is free now, else why not.
std::string clear_left_over(const SocketDirectory& directory) {
  const std::string name = directory.spare_name();
  const auto found = directory.pin(name);
  if (!found) return found.error().text();
  if (!*found) return {};
  const PinnedFile& left_over = **found;
  if (!left_over.is_socket()) return directory.path_of(name) + " is " + left_over.type_name();
  if (probe_owner(left_over).liveness != Liveness::Stale) {
    return directory.path_of(name) + " is somebody's live socket";
  }
  directory.remove_if(name, left_over.id);
  return {};
}

}  // namespace

std::expected<MadeName, std::string> make_spare_link(const SocketDirectory& directory,
                                                     const PinnedFile& socket) {
  int number = directory.link(socket, directory.spare_name());
  if (number == EEXIST && is_there(directory, socket.id)) {
    number = 0;
  } else if (number == EEXIST) {
    if (auto why = clear_left_over(directory); !why.empty()) {
      return std::unexpected(std::move(why));
    }
    number = directory.link(socket, directory.spare_name());
  }
  if (number != 0) {
    return std::unexpected(
        Error::from_errno(number, "link " + directory.path_of(directory.spare_name())).text());
  }
  return MadeName(directory, directory.spare_name(), socket.id);
}

}  // namespace perch::listener
