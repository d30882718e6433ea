// SPDX-License-Identifier: Apache-2.0
// MadeName: a name in the directory that an unfinished claim has made. It is removed with this
// object, if it still is the same file, unless keep() says that the claim came off. The directory
// and the file's inode (a PinnedFile, a bound socket) must outlive it.
#pragma once

#include <string>
#include <utility>

#include "supervisor/listener/socket_directory.h"

namespace perch::listener {

class MadeName {
 public:
  MadeName(const SocketDirectory& directory, std::string name, FileId id)
      : directory_(&directory), name_(std::move(name)), id_(id) {}
  ~MadeName() {
    if (directory_ != nullptr) directory_->remove_if(name_, id_);
  }
  MadeName(MadeName&& other) noexcept
      : directory_(std::exchange(other.directory_, nullptr)),
        name_(std::move(other.name_)),
        id_(other.id_) {}
  MadeName& operator=(MadeName&&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  void keep() noexcept { directory_ = nullptr; }

 private:
  const SocketDirectory* directory_;
  std::string name_;
  FileId id_;
};

}  // namespace perch::listener
