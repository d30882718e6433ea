// SPDX-License-Identifier: Apache-2.0
// PartFile: the file that is written, in the directory of its path without a name, and at its path
// only once it is committed. Whatever else happens to it, nothing of it stays. A file system that
// has no such files gives it a name of its own, which SIGKILL alone leaves behind. What was at the
// path is not touched before; only a regular file or a symlink is ever replaced, a symlink as such:
// it is not followed. For stdout commit() copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "worker/peer/store/digest.h"

namespace perch::peer {

enum class Existing { Keep, Replace };

// Asked between the blocks of what may take long; false ends it, with ECANCELED.
using MayGoOn = std::function<bool()>;

class PartFile {
 public:
  // EEXIST when something is at the path that is to be kept, EISDIR and the like for what is never
  // replaced.
  static Result<PartFile> at(const std::string& path, Existing existing);
  // Its room is in TMPDIR, else in /tmp.
  static Result<PartFile> for_stdout();
  ~PartFile();
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;

  // Takes the room on the disk: ENOSPC or EFBIG now rather than later.
  Result<void> resize(std::uint64_t length);
  Result<void> write(std::uint64_t offset, std::span<const std::byte> data);
  Result<bool> matches(const Digest& digest, const MayGoOn& may_go_on) const;
  // EEXIST when something came to be at the path meanwhile that is to be kept.
  Result<void> commit(const MayGoOn& may_go_on);

  // For people: the path, or "stdout".
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  PartFile(std::string path, Existing existing, UniqueFd directory)
      : path_(std::move(path)), existing_(existing), directory_(std::move(directory)) {}
  [[nodiscard]] std::string name() const;
  Result<void> create();
  // Gives what has no name one that nobody else has.
  Result<void> link_as(const std::string& name);
  Result<void> put_at_path();
  Result<void> rename_to_path();
  Result<void> copy_to_stdout(const MayGoOn& may_go_on) const;

  std::string path_;
  Existing existing_ = Existing::Keep;
  UniqueFd directory_;     // where the path is; none for stdout
  std::string temporary_;  // its name until it is at its path; empty where there is none
  UniqueFd file_;
  std::uint64_t length_ = 0;
};

}  // namespace perch::peer
