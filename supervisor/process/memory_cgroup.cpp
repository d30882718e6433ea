// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/memory_cgroup.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <ranges>
#include <vector>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_mounts.h"

namespace perch::process {
namespace {

namespace fs = std::filesystem;

std::vector<std::string_view> components(std::string_view path) {
  std::vector<std::string_view> names;
  for (const auto part : std::views::split(path, '/')) {
    if (!part.empty()) names.emplace_back(part);
  }
  return names;
}

// Where `path` is below `mount`, whose root is a path in the same hierarchy. Both are relative to
// our cgroup namespace, so either may begin with "..".
std::optional<CgroupPlace> place_in(const CgroupMount& mount, std::string_view path) {
  const auto root = components(mount.root);
  const auto own = components(path);
  const auto [root_rest, own_rest] = std::ranges::mismatch(root, own);
  const auto steps_up = std::ranges::subrange(root_rest, root.end());
  const auto steps_down = std::ranges::subrange(own_rest, own.end());
  // Our cgroup is below the root if what they do not share leads up from the namespace to the
  // root, and down from there.
  const auto is_up = [](std::string_view name) { return name == ".."; };
  if (!std::ranges::all_of(steps_up, is_up) || std::ranges::any_of(steps_down, is_up)) {
    return std::nullopt;
  }
  CgroupPlace place{.directory = mount.mount_point,
                    .levels_below = steps_up.size(),
                    .mount_point = mount.mount_point};
  if (place.levels_below > 0) {
    place.levels_below += steps_down.size();
    return place;
  }
  for (const auto name : steps_down) {
    place.directory.append("/").append(name);
  }
  return place;
}

// A mount that shows our cgroup by its name, else one that has it somewhere below.
template <class Belongs>
std::optional<CgroupPlace> best_place(const std::vector<CgroupMount>& mounts, std::string_view path,
                                      Belongs belongs) {
  std::optional<CgroupPlace> best;
  for (const CgroupMount& mount : mounts | std::views::filter(belongs)) {
    auto place = place_in(mount, path);
    if (!place) continue;
    if (place->levels_below == 0) return place;
    if (!best) best = std::move(place);
  }
  return best;
}

bool lists_us(const fs::path& directory) {
  const auto members = read_file(directory / "cgroup.procs");
  if (!members) return false;
  const std::string own = std::to_string(::getpid());
  return std::ranges::any_of(std::views::split(*members, '\n'),
                             [&](const auto line) { return std::string_view(line) == own; });
}

// The cgroup that has us as a member, `levels` below a directory; nothing if it is hidden.
std::optional<std::string> find_ours(const fs::path& directory, std::size_t levels) {
  if (levels == 0) return lists_us(directory) ? std::optional(directory.string()) : std::nullopt;
  std::error_code ignored;
  for (fs::directory_iterator entry(directory, ignored), end; entry != end;
       entry.increment(ignored)) {
    if (!entry->is_directory(ignored)) continue;
    if (auto found = find_ours(entry->path(), levels - 1)) return found;
  }
  return std::nullopt;
}

std::optional<std::string> resolve(const CgroupPlace& place) {
  if (place.levels_below == 0) return place.directory;
  return find_ours(place.directory, place.levels_below);
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

MemoryCgroup nearest_unified(std::string directory, const std::string& mount_point) {
  const std::string own = directory;
  while (directory.size() >= mount_point.size()) {
    if (exists(directory + "/memory.events")) return {CgroupVersion::V2, directory, false};
    directory.erase(directory.rfind('/'));
  }
  // cgroup.type exists in every cgroup but the root (cgroup-v2.rst).
  const bool at_root =
      exists(mount_point + "/cgroup.procs") && !exists(mount_point + "/cgroup.type");
  return {CgroupVersion::V2, at_root ? mount_point : own, at_root};
}

std::string proc_text(const char* path) { return read_file(path).value_or(std::string()); }

}  // namespace

std::optional<CgroupPlace> locate_unified_cgroup(std::string_view cgroups,
                                                 std::string_view mountinfo) {
  const auto memberships = parse_cgroup_memberships(cgroups);
  const auto own = std::ranges::find(memberships, "", &CgroupMembership::controllers);
  if (own == memberships.end()) return std::nullopt;
  return best_place(parse_cgroup_mounts(mountinfo), own->path, &CgroupMount::unified);
}

MemoryCgroupPlace locate_memory_cgroup(std::string_view cgroups, std::string_view mountinfo) {
  for (const CgroupMembership& own : parse_cgroup_memberships(cgroups)) {
    if (!lists(own.controllers, "memory")) continue;
    auto place = best_place(parse_cgroup_mounts(mountinfo), own.path, [](const CgroupMount& mount) {
      return !mount.unified && lists(mount.options, "memory");
    });
    if (!place) return {};
    return {CgroupVersion::V1, *std::move(place)};
  }
  auto place = locate_unified_cgroup(cgroups, mountinfo);
  if (!place) return {};
  return {CgroupVersion::V2, *std::move(place)};
}

MemoryCgroup own_memory_cgroup() {
  const auto [version, place] =
      locate_memory_cgroup(proc_text("/proc/self/cgroup"), proc_text("/proc/self/mountinfo"));
  if (version == CgroupVersion::None) return {};
  auto directory = resolve(place);
  if (!directory) return {};
  if (version == CgroupVersion::V2)
    return nearest_unified(*std::move(directory), place.mount_point);
  // release_agent exists in the root of a version 1 hierarchy only (cgroups(7)).
  const bool is_root = exists(*directory + "/release_agent");
  return {CgroupVersion::V1, *std::move(directory), is_root};
}

std::optional<std::string> own_unified_cgroup() {
  const auto place =
      locate_unified_cgroup(proc_text("/proc/self/cgroup"), proc_text("/proc/self/mountinfo"));
  return place ? resolve(*place) : std::nullopt;
}

}  // namespace perch::process
