// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/account.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

namespace perch::process {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

// Absent in images made from scratch: then there are no names, which is no error.
File open_entries(const std::string& path) { return File(std::fopen(path.c_str(), "re")); }

// -1 means "no change" to the system calls that take an id.
std::optional<std::uint32_t> as_id(const std::string& text) {
  std::uint32_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (id == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return id;
}

template <class Matches>
std::optional<Account> find_user(const AccountFiles& files, Matches matches) {
  const File file = open_entries(files.passwd);
  if (!file) return std::nullopt;
  while (const passwd* entry = ::fgetpwent(file.get())) {  // NOLINT(concurrency-mt-unsafe)
    if (!matches(*entry)) continue;
    return Account{.uid = entry->pw_uid,
                   .gid = entry->pw_gid,
                   .groups = {},
                   .name = entry->pw_name,
                   .home = entry->pw_dir};
  }
  return std::nullopt;
}

std::optional<Account> find_user(const std::string& name_or_number, const AccountFiles& files) {
  auto account =
      find_user(files, [&](const passwd& entry) { return name_or_number == entry.pw_name; });
  const auto id = as_id(name_or_number);
  if (account || !id) return account;
  return find_user(files, [&](const passwd& entry) { return entry.pw_uid == *id; });
}

template <class Visit>
void for_each_group(const AccountFiles& files, Visit visit) {
  const File file = open_entries(files.group);
  if (!file) return;
  while (const group* entry = ::fgetgrent(file.get())) visit(*entry);  // NOLINT(concurrency-*)
}

bool has_member(const group& entry, std::string_view user) {
  for (char** member = entry.gr_mem; *member != nullptr; ++member) {
    if (user == *member) return true;
  }
  return false;
}

std::vector<gid_t> groups_of(const Account& account, const AccountFiles& files) {
  std::vector<gid_t> groups{account.gid};
  for_each_group(files, [&](const group& entry) {
    if (has_member(entry, account.name)) groups.push_back(entry.gr_gid);
  });
  std::ranges::sort(groups);
  const auto duplicates = std::ranges::unique(groups);
  groups.erase(duplicates.begin(), duplicates.end());
  return groups;
}

std::unexpected<Error> unknown(const char* kind, const std::string& name, const std::string& file) {
  return refuse(std::string(kind) + " \"" + name + "\": " + file + " has no such " + kind +
                "; use one that it has, or a number");
}

}  // namespace

Result<uid_t> resolve_user(const std::string& name_or_number, const AccountFiles& files) {
  if (const auto account = find_user(name_or_number, files)) return account->uid;
  if (const auto id = as_id(name_or_number)) return *id;
  return unknown("user", name_or_number, files.passwd);
}

Result<gid_t> resolve_group(const std::string& name_or_number, const AccountFiles& files) {
  std::optional<gid_t> found;
  for_each_group(files, [&](const group& entry) {
    if (!found && name_or_number == entry.gr_name) found = entry.gr_gid;
  });
  if (!found) found = as_id(name_or_number);
  if (!found) return unknown("group", name_or_number, files.group);
  return *found;
}

Result<Account> resolve_account(const std::string& user, const std::string& group,
                                const AccountFiles& files) {
  auto account = find_user(user, files);
  const bool has_entry = account.has_value();
  if (!has_entry) {
    const auto id = as_id(user);
    if (!id) return unknown("user", user, files.passwd);
    if (group.empty()) {
      return refuse("user " + user + ": " + files.passwd +
                    " has no entry to take its group from; set group as well");
    }
    account = Account{.uid = *id, .gid = 0, .groups = {}, .name = user};
  }
  if (!group.empty()) {
    auto gid = resolve_group(group, files);
    if (!gid) return std::unexpected(std::move(gid.error()));
    account->gid = *gid;
  }
  account->groups = has_entry ? groups_of(*account, files) : std::vector{account->gid};
  return *std::move(account);
}

}  // namespace perch::process
