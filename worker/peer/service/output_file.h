// SPDX-License-Identifier: Apache-2.0
// OutputFile: the file a caller asked to have written. The path is the caller's choice, so all that
// touches it happens with the caller's rights (ActingAs); nothing is visible at it before commit():
// until then the file has no name, where the file system can do that, and so goes with the peer. A
// symlink at the path is replaced or refused, never followed.
#pragma once

#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "worker/peer/service/caller.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

enum class Overwrite : bool { No, Yes };

class OutputFile {
 public:
  // EACCES or EPERM when the caller may not write there, EEXIST when something is there already
  // that may not be overwritten or is no file, EISDIR, EINVAL for a path that is not absolute.
  static Result<OutputFile> create(const Caller& caller, const std::string& path,
                                   Overwrite overwrite);
  // The same with the file at `data_path` itself under another name: a hard link. EXDEV across file
  // systems; EACCES for callers who may not read the store.
  static Result<OutputFile> link(const Caller& caller, const std::string& path, Overwrite overwrite,
                                 const std::string& data_path);
  ~OutputFile();
  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) = delete;

  // Copies the range from `data_fd` to `at`; shares the blocks where the file system can.
  Result<void> copy(int data_fd, ByteRange range, std::uint64_t at);
  Result<void> commit();

 private:
  OutputFile(Caller caller, UniqueFd directory, std::string name, Overwrite overwrite);
  static Result<OutputFile> prepare(const Caller& caller, const std::string& path,
                                    Overwrite overwrite);
  Result<void> give_name();

  Caller caller_;
  UniqueFd directory_;
  std::string name_;
  std::string temporary_;  // empty once there is nothing to remove
  Overwrite overwrite_;
  UniqueFd file_;
};

}  // namespace perch::peer
