// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "worker/peer/store/crc32c.h"

namespace perch::peer {
namespace {

struct Algorithm {
  std::string_view prefix;
  std::size_t hex_size;
  HashKind kind;
};
constexpr std::array kAlgorithms{
    Algorithm{"sha256:", 64, HashKind::Sha256}, Algorithm{"sha512:", 128, HashKind::Sha512},
    Algorithm{"crc32:", 8, HashKind::Crc32}, Algorithm{"md5:", 32, HashKind::Md5}};
constexpr std::size_t kCrc32DecimalSize = 10;

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

// Dragonfly's own tools write a CRC-32 as a decimal number and want ten digits; "" for other text.
std::string hex_of_decimal(std::string_view text) {
  std::uint32_t sum = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), sum);
  const bool whole = problem == std::errc() && end == text.data() + text.size();
  return whole && text.size() == kCrc32DecimalSize ? fmt::format("{:08x}", sum) : std::string();
}

const EVP_MD* evp_of(HashKind kind) {
  switch (kind) {
    case HashKind::Sha256:
      return EVP_sha256();
    case HashKind::Sha512:
      return EVP_sha512();
    case HashKind::Md5:
      return EVP_md5();
    case HashKind::Crc32:
      return nullptr;
  }
  std::unreachable();
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  for (const Algorithm& algorithm : kAlgorithms) {
    if (!text.starts_with(algorithm.prefix)) continue;
    const std::string_view digits = text.substr(algorithm.prefix.size());
    if (digits.size() == algorithm.hex_size && is_hex(digits)) {
      return Digest{algorithm.kind, lower(digits)};
    }
    if (algorithm.kind == HashKind::Crc32) {
      if (auto hex = hex_of_decimal(digits); !hex.empty()) return Digest{algorithm.kind, hex};
    }
    return refuse(fmt::format("digest '{}' needs {} hexadecimal digits{}", text, algorithm.hex_size,
                              algorithm.kind == HashKind::Crc32 ? ", or 10 decimal ones" : ""));
  }
  return refuse(
      fmt::format("digest '{}' is not sha256:, sha512:, crc32: or md5: and its digits", text));
}

std::string Digest::text() const {
  const auto* const algorithm = std::ranges::find(kAlgorithms, kind, &Algorithm::kind);
  return std::string(algorithm->prefix) + hex;
}

void Hasher::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

Hasher::Hasher(HashKind kind) {
  const EVP_MD* algorithm = evp_of(kind);
  if (algorithm == nullptr) return;
  context_.reset(EVP_MD_CTX_new());
  PERCH_CHECK(EVP_DigestInit_ex(context_.get(), algorithm, nullptr) == 1);
}

void Hasher::add(std::span<const std::byte> data) {
  if (context_) {
    PERCH_CHECK(EVP_DigestUpdate(context_.get(), data.data(), data.size()) == 1);
  } else {
    crc32_ = crc32(data, crc32_);
  }
}

void Hasher::add(std::string_view text) { add(std::as_bytes(std::span(text))); }

std::string Hasher::hex() {
  if (!context_) return fmt::format("{:08x}", crc32_);
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned int size = 0;
  PERCH_CHECK(EVP_DigestFinal_ex(context_.get(), sum.data(), &size) == 1);
  std::string text;
  for (const unsigned char byte : std::span(sum).first(size)) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace perch::peer
