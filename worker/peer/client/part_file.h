// SPDX-License-Identifier: Apache-2.0
// PartFile: the client's file while it grows, and what is there of it. It outlives the calls that
// fill it, as long as they bring the same version of the data.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "worker/peer/store/digest.h"

namespace perch::peer {

class PartFile {
 public:
  // A temporary file beside `path`.
  static Result<PartFile> create(const std::string& path);
  ~PartFile();
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;

  // What a call is about to bring; pieces of another version are forgotten.
  Result<void> expect(std::uint64_t length, const std::string& version);
  Result<void> put(std::uint32_t number, std::uint64_t offset, std::string_view content);

  [[nodiscard]] bool has(std::uint32_t number) const { return pieces_.contains(number); }
  [[nodiscard]] std::uint64_t length() const noexcept { return length_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

  Result<bool> matches(const Digest& digest) const;
  Result<void> commit();

 private:
  PartFile(std::string path, std::string temporary, UniqueFd file);

  std::string path_;
  std::string temporary_;  // empty once renamed
  UniqueFd file_;
  std::string version_;
  std::uint64_t length_ = 0;
  std::uint64_t received_ = 0;
  std::set<std::uint32_t> pieces_;
};

}  // namespace perch::peer
