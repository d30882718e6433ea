// SPDX-License-Identifier: Apache-2.0
// Digest: what a whole file is checked against, "sha256:<hex>" or "sha512:<hex>". Hasher: the sum
// as the bytes come by.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/value/error.h"

struct evp_md_ctx_st;

namespace perch::peer {

enum class HashKind { Sha256, Sha512 };

struct Digest {
  HashKind kind = HashKind::Sha256;
  std::string hex;  // lower case

  // Refused with the reason: another algorithm, a wrong length, not hexadecimal.
  static Result<Digest> parse(std::string_view text);
};

class Hasher {
 public:
  explicit Hasher(HashKind kind);
  void add(std::span<const std::byte> data);
  void add(std::string_view text);
  // The sum in lower-case hexadecimal; nothing is added after it.
  [[nodiscard]] std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace perch::peer
