// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/heal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "supervisor/listener/exchange.h"
#include "supervisor/listener/made_name.h"
#include "supervisor/listener/spare_link.h"
#include "supervisor/listener/temporary_name.h"

namespace perch::listener {
namespace {

// Nobody displaces more than this; who does has to tidy up.
constexpr int kDisplacedNames = 1000;

Error error_of(Obstacle obstacle) {
  if (auto* owner = std::get_if<Owned>(&obstacle)) {
    return Error::message("owned by " + std::move(owner->by));
  }
  if (auto* refusal = std::get_if<Refused>(&obstacle)) return Error::message(refusal->why);
  return std::get<Error>(std::move(obstacle));
}

bool stands_at(const SocketDirectory& directory, const std::string& name, FileId id) {
  const auto found = directory.pin(name);
  return found && *found && (*found)->id == id;
}

// 0 or errno.
int rename_to_free_name(const SocketDirectory& directory, const std::string& from,
                        const std::string& to) {
  const int result =
      ::renameat2(directory.fd(), from.c_str(), directory.fd(), to.c_str(), RENAME_NOREPLACE);
  return result == 0 ? 0 : errno;
}

// Who gave the socket to another user may not link it any more (fs.protected_hardlinks): the spare
// becomes the path.
int rename_spare(const SocketDirectory& directory, FileId ours) {
  if (!stands_at(directory, directory.spare_name(), ours)) return EPERM;
  return rename_to_free_name(directory, directory.spare_name(), directory.basename());
}

// A second name of ours to exchange with; where none can be made it is the spare.
Result<std::string> name_to_exchange(const Listener& listener) {
  const SocketDirectory& directory = *listener.parts().directory;
  const PinnedFile& file = *listener.parts().file;
  int number = EEXIST;
  for (int i = 0; i < kTemporaryNames && number == EEXIST; ++i) {
    std::string name = temporary_name(listener.parts().lock->inode(), i);
    number = directory.link(file, name);
    if (number == 0) return name;
  }
  const bool forbidden = number == EPERM || number == EACCES;
  if (forbidden && stands_at(directory, directory.spare_name(), file.id)) {
    return directory.spare_name();
  }
  return fail("link a second name of " + listener.path(), number);
}

}  // namespace

Result<Step> link_back(const Listener& listener) {
  const SocketDirectory& directory = *listener.parts().directory;
  const PinnedFile& file = *listener.parts().file;
  int number = directory.link(file, directory.basename());
  if (number == EPERM) number = rename_spare(directory, file.id);
  if (number == 0) return Step::Done;
  // No directory or no inode to link any more is seen by the next look.
  if (number == EEXIST || number == ENOENT) return Step::LookAgain;
  return fail("link " + listener.path(), number);
}

Result<Step> exchange_back(const Listener& listener, const PinnedFile& dead, Warnings& warnings) {
  const SocketDirectory& directory = *listener.parts().directory;
  const FileId ours = listener.parts().file->id;
  auto name = name_to_exchange(listener);
  if (!name) return std::unexpected(std::move(name.error()));
  // A rename onto the same inode does nothing and leaves the temporary name: it goes in any case.
  MadeName temporary(directory, *name, ours);
  if (*name == directory.spare_name()) temporary.keep();
  auto exchanged = exchange_for_stale(directory, *name, ours, dead, warnings);
  if (!exchanged) return std::unexpected(error_of(std::move(exchanged.error())));
  return *exchanged == Exchange::InPlace ? Step::Done : Step::LookAgain;
}

Result<std::string> displace(const Listener& listener, const PinnedFile& other) {
  const SocketDirectory& directory = *listener.parts().directory;
  const std::string& path = directory.basename();
  for (int i = 1; i <= kDisplacedNames; ++i) {
    std::string aside = path + ".displaced-" + std::to_string(i);
    const int number = rename_to_free_name(directory, path, aside);
    if (number == EEXIST) continue;
    if (number == ENOENT) return std::string();
    if (number != 0) return fail("move " + std::string(other.type_name()) + " aside", number);
    if (stands_at(directory, aside, other.id)) return aside;
    // Another came between: it gets its name back.
    rename_to_free_name(directory, aside, path);
    return std::string();
  }
  return refuse(directory.path_of(path + ".displaced-1") + " and all others up to " +
                std::to_string(kDisplacedNames) + " are taken: remove them");
}

Result<void> restore_spare(Listener& listener) {
  auto spare = make_spare_link(*listener.parts().directory, *listener.parts().file);
  listener.set_healable(spare.has_value());
  if (!spare) return refuse("no spare link any more: " + spare.error());
  spare->keep();
  return {};
}

}  // namespace perch::listener
