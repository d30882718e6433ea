// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/worker/store_tools.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "common/posix/file.h"
#include "worker/peer/store/whole_io.h"

namespace perch::peer {

Manifest manifest_of(std::uint64_t length) {
  return {"http://origin/file", {length, kPiece}, {{"etag", "\"v1\""}}, 1};
}

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

void put(TaskFiles& files, std::uint32_t number, char fill, std::uint64_t size) {
  const std::uint64_t lacks = files.layout().piece(number).size() - files.bytes_done(number);
  const std::string data(std::min(lacks, size), fill);
  REQUIRE(files.append(number, bytes(data)).has_value());
}

void put_all(TaskFiles& files) {
  for (std::uint32_t number = 0; number < files.layout().count(); ++number) {
    put(files, number, static_cast<char>('x' + number));
  }
  REQUIRE(files.mark_finished("").has_value());
}

void make_finished(const Store& store, const std::string& id) {
  auto files = store.create(id, manifest_of(2500));
  REQUIRE(files.has_value());
  put_all(*files);
}

std::string content_of(const TaskFiles& files) {
  std::string content(files.layout().length, '\0');
  REQUIRE(files.read(0, std::as_writable_bytes(std::span(content))).has_value());
  return content;
}

int wait_for(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) {
    throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  return status;
}

void damage(const std::string& path, std::uint64_t offset) {
  const auto file = open_file(path, O_RDWR);
  REQUIRE(file.has_value());
  REQUIRE(write_whole(file->get(), offset, bytes("!")).has_value());
}

Result<Store> StoreWorld::try_open(const std::string& boot_id) const {
  return Store::open(directory_,
                     {boot_id, [said = said_](const std::string& line) { said->push_back(line); }});
}

Store StoreWorld::open(const std::string& boot_id) const {
  auto store = try_open(boot_id);
  REQUIRE(store.has_value());
  return std::move(*store);
}

bool StoreWorld::said_only(std::string_view part) const {
  return said_->size() == 1 && said_->front().find(part) != std::string::npos;
}

}  // namespace perch::peer
