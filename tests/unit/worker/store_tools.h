// SPDX-License-Identifier: Apache-2.0
// What tests of the store share: small tasks of known bytes, and a store that notes what it says.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temporary_directory.h"
#include "worker/peer/store/store.h"

namespace perch::peer {

constexpr std::uint64_t kPiece = 1000;
inline const std::string kId(64, 'a');
inline const std::string kOtherId(64, 'b');

Manifest manifest_of(std::uint64_t length);
std::span<const std::byte> bytes(std::string_view text);

// Appends `fill` to the piece until it has `size` bytes more, or all of its own.
void put(TaskFiles& files, std::uint32_t number, char fill, std::uint64_t size = kPiece);
// All pieces, of the letters 'x', 'y', 'z', and marked finished.
void put_all(TaskFiles& files);
// A finished task of three pieces, 2500 bytes.
void make_finished(const Store& store, const std::string& id = kId);
std::string content_of(const TaskFiles& files);

// How a child of this process stops or ends next.
int wait_for(pid_t child);

// Writes one byte over another.
void damage(const std::string& path, std::uint64_t offset);

// A store in a directory of its own; what it says is in `said`. Each open() is a next process.
class StoreWorld {
 public:
  explicit StoreWorld(std::string directory) : directory_(std::move(directory)) {}
  StoreWorld() : directory_(own_.path()) {}

  [[nodiscard]] Store open(const std::string& boot_id = "boot 1") const;
  [[nodiscard]] Result<Store> try_open(const std::string& boot_id = "boot 1") const;
  // Of a file of a task, of the task itself, of the directory with all.
  [[nodiscard]] std::string path(const std::string& file, const std::string& id = kId) const {
    return tasks() + "/" + id + "/" + file;
  }
  [[nodiscard]] std::string task(const std::string& id = kId) const { return tasks() + "/" + id; }
  [[nodiscard]] std::string tasks() const { return directory_ + "/tasks"; }
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  [[nodiscard]] const std::vector<std::string>& said() const noexcept { return *said_; }
  // One line that has this in it, and nothing else.
  [[nodiscard]] bool said_only(std::string_view part) const;

 private:
  test::TemporaryDirectory own_;
  std::string directory_;
  std::shared_ptr<std::vector<std::string>> said_ = std::make_shared<std::vector<std::string>>();
};

}  // namespace perch::peer
