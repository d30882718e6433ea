// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/intercept_targets.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "common/posix/unix_socket.h"
#include "supervisor/config/names.h"

namespace perch::handover {
namespace {

ino_t socket_number(int fd) {
  const auto id = listener::file_id(fd);
  return id ? id->inode : 0;
}

bool is_named(const InterceptTarget& target, const AbstractName& name) {
  return !target.directory && is_abstract(target.path) &&
         std::string_view(target.path).substr(1) == name.bytes;
}

}  // namespace

std::optional<DirectoryId> Place::directory_id() const {
  return listener::file_id(directory.get());
}

Result<Place> find_place(const TargetProcess& process, int base, const std::string& path) {
  const std::string_view name = config::basename_of(path);
  auto directory = process.open_directory(base, path.substr(0, path.size() - name.size()));
  if (!directory) return std::unexpected(std::move(directory.error()));
  return Place{std::move(*directory), std::string(name)};
}

InterceptTargets::InterceptTargets(std::vector<InterceptTarget> targets) {
  replace(std::move(targets));
}

void InterceptTargets::replace(std::vector<InterceptTarget> targets) {
  const std::vector<Entry> before = std::exchange(entries_, {});
  for (InterceptTarget& target : targets) {
    const bool bound = std::ranges::any_of(before, [&](const Entry& entry) {
      return entry.bound && entry.target.name == target.name;
    });
    const ino_t socket = socket_number(target.fd);
    entries_.push_back({.target = std::move(target), .socket = socket, .bound = bound});
  }
}

bool InterceptTargets::all_bound() const { return std::ranges::all_of(entries_, &Entry::bound); }

InterceptTargets::Found InterceptTargets::find(const TargetProcess& process, int base,
                                               const std::string& path) {
  const auto has_name = [name = config::basename_of(path)](const Entry& entry) {
    return entry.target.directory && entry.target.basename == name;
  };
  if (std::ranges::none_of(entries_, has_name)) return nullptr;
  const auto place = find_place(process, base, path);
  if (!place) return std::unexpected(place.error());
  const auto id = place->directory_id();
  if (!id) return fail("fstat");
  const auto entry = std::ranges::find_if(
      entries_, [&](const Entry& one) { return has_name(one) && one.target.directory == id; });
  return entry == entries_.end() ? nullptr : &*entry;
}

InterceptTargets::Found InterceptTargets::find(const TargetProcess& process,
                                               const SocketName& name) {
  if (const auto* const path = std::get_if<PathName>(&name)) {
    return find(process, AT_FDCWD, path->path);
  }
  const auto* const abstract = std::get_if<AbstractName>(&name);
  return abstract == nullptr ? Found(nullptr) : find_abstract(process, *abstract);
}

// Abstract names belong to a network namespace.
InterceptTargets::Found InterceptTargets::find_abstract(const TargetProcess& process,
                                                        const AbstractName& name) {
  const auto entry =
      std::ranges::find_if(entries_, [&](const Entry& one) { return is_named(one.target, name); });
  if (entry == entries_.end()) return nullptr;
  const auto theirs = process.network_namespace();
  if (!theirs) return std::unexpected(theirs.error());
  const auto ours = TargetProcess(::getpid()).network_namespace();
  return ours && *ours == *theirs ? &*entry : nullptr;
}

InterceptTargets::Found InterceptTargets::find_descriptor(const TargetProcess& process, int fd) {
  const auto inode = process.socket_inode(fd);
  if (!inode && inode.error().is(ENOTSOCK)) return nullptr;
  if (!inode) return std::unexpected(inode.error());
  const auto entry = std::ranges::find(entries_, *inode, &Entry::socket);
  return entry == entries_.end() ? nullptr : &*entry;
}

}  // namespace perch::handover
