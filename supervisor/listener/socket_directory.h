// SPDX-License-Identifier: Apache-2.0
// SocketDirectory: the directory of a path to claim, opened once, and the names perch uses in it.
// Symbolic links among the parents were followed when it was opened; the last component never is.
// Everything a claim does goes through this descriptor, so a parent that is swapped later changes
// nothing.
#pragma once

#include <optional>
#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/listener/obstacle.h"
#include "supervisor/listener/pinned_file.h"

namespace perch::listener {

class SocketDirectory {
 public:
  // Refused: a path that no socket can have, and file systems that several machines share: another
  // machine's live socket looks stale there.
  static Attempt<SocketDirectory> open(const std::string& path);

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const std::string& basename() const noexcept { return basename_; }
  [[nodiscard]] std::string lock_name() const { return "." + basename_ + ".lock"; }
  [[nodiscard]] std::string spare_name() const { return "." + basename_ + ".perch"; }

  // The path of another name in the directory, for messages.
  [[nodiscard]] std::string path_of(const std::string& name) const;
  // The same for bind(2), through the descriptor: as long as `name` is short, it fits sun_path.
  [[nodiscard]] std::string short_path_of(const std::string& name) const;

  // The file of that name, a symbolic link itself and not its target; none if there is none.
  [[nodiscard]] Result<std::optional<PinnedFile>> pin(const std::string& name) const;

  // Gives the file one more name. Through its descriptor: what is linked is that inode, whatever
  // its names are by now. 0 or errno; ENOENT where it has no name left.
  [[nodiscard]] int link(const PinnedFile& file, const std::string& name) const;

  // False once the path leads to another directory, or nowhere.
  [[nodiscard]] bool is_at_its_path() const;

  // Unlinks `name` if it is that file. The caller keeps the inode alive (a PinnedFile, a bound
  // socket); only a rename between the look and the unlink can deceive it.
  void remove_if(const std::string& name, FileId id) const noexcept;

 private:
  SocketDirectory(UniqueFd fd, std::string path, std::string basename)
      : fd_(std::move(fd)), path_(std::move(path)), basename_(std::move(basename)) {}
  UniqueFd fd_;
  std::string path_;
  std::string basename_;
};

// "/run/perch" in a container that has none yet. Whatever is wrong with it, open() will say.
void make_last_directory_of(const std::string& path) noexcept;

}  // namespace perch::listener
