// SPDX-License-Identifier: Apache-2.0
// HostileMemory: a page or two with everything that a pointer argument may lead to: names of the
// listener and of other things, addresses of all kinds, texts without an end, memory that is cut
// off, not to be read, or not there. Bad pointers lead nowhere or in here.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace perch::test {

using Random = std::minstd_rand;

std::uint64_t one_of(Random& random, const std::vector<std::uint64_t>& values);

class HostileMemory {
 public:
  explicit HostileMemory(const std::string& listener);

  std::uint64_t text(Random& random) const { return one_of(random, texts_); }
  std::uint64_t address(Random& random) const { return one_of(random, addresses_); }
  // The address of another name, always the same; its size.
  [[nodiscard]] std::uint64_t other() const { return other_; }
  static constexpr std::uint64_t kOtherSize = 8;
  // One address becomes the listener's, another name's or another family's.
  void shift(Random& random) const;

 private:
  std::uint64_t put(const void* bytes, std::size_t size);
  std::uint64_t put_address(sa_family_t family, const std::string& name);
  void add_texts(const std::string& listener);
  void add_addresses(const std::string& listener);
  void add_bad_pointers();

  char* memory_;
  std::size_t used_ = 0;
  std::vector<std::uint64_t> texts_;
  std::vector<std::uint64_t> addresses_;
  std::uint64_t shifting_ = 0;
  std::uint64_t other_ = 0;
};

}  // namespace perch::test
