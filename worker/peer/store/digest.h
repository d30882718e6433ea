// SPDX-License-Identifier: Apache-2.0
// Digest: what a whole file is checked against, as Dragonfly writes it: "sha256:<hex>", "sha512:",
// "md5:" likewise, and "crc32:" with the ten decimal digits of its own tools or with eight
// hexadecimal ones. Hasher: the sum as the bytes come by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/value/error.h"

struct evp_md_ctx_st;

namespace perch::peer {

enum class HashKind { Sha256, Sha512, Crc32, Md5 };

struct Digest {
  HashKind kind = HashKind::Sha256;
  std::string hex;  // lower case

  // Refused with the reason: another algorithm, a wrong length, other digits.
  static Result<Digest> parse(std::string_view text);
  // "sha256:<hex>".
  [[nodiscard]] std::string text() const;
  bool operator==(const Digest&) const = default;
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
  std::unique_ptr<evp_md_ctx_st, Free> context_;  // none for CRC-32, which libcrypto lacks
  std::uint32_t crc32_ = 0;
};

}  // namespace perch::peer
