// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/handover/hostile_memory.h"

#include <sys/mman.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace perch::test {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSize = 8 * kPage;
constexpr std::size_t kEndless = 5'000;  // more than PATH_MAX

}  // namespace

std::uint64_t one_of(Random& random, const std::vector<std::uint64_t>& values) {
  return values[random() % values.size()];
}

HostileMemory::HostileMemory(const std::string& listener)
    : memory_(static_cast<char*>(::mmap(nullptr, kSize + kPage, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
  ::mprotect(memory_ + kSize, kPage, PROT_NONE);
  add_texts(listener);
  add_addresses(listener);
  add_bad_pointers();
}

void HostileMemory::add_texts(const std::string& listener) {
  const std::string detour = "/" + std::string(4'000, '/') + "./" + listener;
  for (const std::string& text :
       {listener, "/" + listener, "./" + listener, "/missing/" + listener, "/loop/" + listener,
        detour, std::string(300, 'n') + "/" + listener, std::string("other"), std::string(),
        std::string("/"), std::string("."), std::string("..")}) {
    texts_.push_back(put(text.c_str(), text.size() + 1));
  }
}

void HostileMemory::add_addresses(const std::string& listener) {
  for (const std::string& name : {listener, "/" + listener, "/loop/" + listener,
                                  std::string(1, '\0') + "abstract", std::string(108, 'p')}) {
    addresses_.push_back(put_address(AF_UNIX, name));
  }
  for (const sa_family_t family :
       std::array<sa_family_t, 4>{AF_INET, AF_INET6, AF_NETLINK, 0xffff}) {
    addresses_.push_back(put_address(family, "x"));
  }
  other_ = put_address(AF_UNIX, "other");
  shifting_ = put_address(AF_UNIX, listener);
  addresses_.insert(addresses_.end(), 8, shifting_);
}

void HostileMemory::add_bad_pointers() {
  const auto end = reinterpret_cast<std::uintptr_t>(memory_) + kSize;
  std::memset(memory_ + kSize - kEndless, 'e', kEndless);
  const std::array<std::uint64_t, 9> bad{
      0,   1,       ~std::uint64_t{0}, std::uint64_t{1} << 63U, std::uint64_t{1} << 47U,
      end, end - 1, end - 20,          end - kEndless};
  texts_.insert(texts_.end(), bad.begin(), bad.end());
  addresses_.insert(addresses_.end(), bad.begin(), bad.end());
}

void HostileMemory::shift(Random& random) const {
  auto* const bytes = reinterpret_cast<volatile char*>(shifting_);  // NOLINT
  bytes[0] = random() % 8 == 0 ? AF_INET : AF_UNIX;
  bytes[2] = random() % 2 == 0 ? 'b' : 'a';  // the listener's first letter
  bytes[10] = random() % 2 == 0 ? 'x' : '\0';
}

std::uint64_t HostileMemory::put(const void* bytes, std::size_t size) {
  char* const at = memory_ + used_;
  std::memcpy(at, bytes, size);
  used_ += (size + 15) / 16 * 16;
  return reinterpret_cast<std::uintptr_t>(at);
}

std::uint64_t HostileMemory::put_address(sa_family_t family, const std::string& name) {
  std::array<char, 160> bytes{};
  std::memcpy(bytes.data(), &family, sizeof family);
  std::ranges::copy(name, bytes.begin() + offsetof(sockaddr_un, sun_path));
  return put(bytes.data(), bytes.size());
}

}  // namespace perch::test
