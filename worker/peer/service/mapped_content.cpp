// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/mapped_content.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace perch::peer {
namespace {

constexpr std::size_t kSlice = 128U << 10U;

class Mapping {
 public:
  Mapping(void* address, std::size_t size) : address_(address), size_(size) {}
  ~Mapping() { ::munmap(address_, size_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] std::byte* at(std::size_t offset) const {
    return static_cast<std::byte*>(address_) + offset;
  }
  // All pages, also those that are still to be sent: the kernel maps more around each that is
  // touched, and brings it again from its cache when it is needed.
  void let_go() const { ::madvise(address_, size_, MADV_DONTNEED); }

 private:
  void* address_;
  std::size_t size_;
};

// What a slice has of it. gRPC calls release() on any of its threads.
struct Share {
  std::shared_ptr<Mapping> mapping;

  static void release(void* self) {
    const std::unique_ptr<Share> share(static_cast<Share*>(self));
    share->mapping->let_go();
  }
};

}  // namespace

Result<std::vector<grpc::Slice>> mapped_content(int data_fd, ByteRange range) {
  std::vector<grpc::Slice> slices;
  if (range.size() == 0) return slices;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t skipped = range.begin % page;
  const std::size_t size = range.size() + skipped;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, data_fd,
                         static_cast<off_t>(range.begin - skipped));
  if (address == MAP_FAILED) return fail("map " + std::to_string(size) + " bytes");
  const auto mapping = std::make_shared<Mapping>(address, size);
  for (std::size_t at = skipped; at < size; at += kSlice) {
    auto share = std::make_unique<Share>(Share{mapping});
    slices.emplace_back(mapping->at(at), std::min(kSlice, size - at), &Share::release,
                        share.release());
  }
  return slices;
}

}  // namespace perch::peer
