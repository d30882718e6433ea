// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace perch::peer {
namespace {

struct Algorithm {
  std::string_view prefix;
  std::size_t hex_size;
  HashKind kind;
};
constexpr std::array kAlgorithms{Algorithm{"sha256:", 64, HashKind::Sha256},
                                 Algorithm{"sha512:", 128, HashKind::Sha512}};

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

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  for (const Algorithm& algorithm : kAlgorithms) {
    if (!text.starts_with(algorithm.prefix)) continue;
    const std::string_view hex = text.substr(algorithm.prefix.size());
    if (hex.size() != algorithm.hex_size || !is_hex(hex)) {
      return refuse("digest '" + std::string(text) + "' needs " +
                    std::to_string(algorithm.hex_size) + " hexadecimal digits");
    }
    return Digest{algorithm.kind, lower(hex)};
  }
  return refuse("digest '" + std::string(text) + "' is not sha256:<hex> or sha512:<hex>");
}

void Hasher::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

Hasher::Hasher(HashKind kind) : context_(EVP_MD_CTX_new()) {
  const EVP_MD* algorithm = kind == HashKind::Sha256 ? EVP_sha256() : EVP_sha512();
  PERCH_CHECK(EVP_DigestInit_ex(context_.get(), algorithm, nullptr) == 1);
}

void Hasher::add(std::span<const std::byte> data) {
  PERCH_CHECK(EVP_DigestUpdate(context_.get(), data.data(), data.size()) == 1);
}

void Hasher::add(std::string_view text) { add(std::as_bytes(std::span(text))); }

std::string Hasher::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned int size = 0;
  PERCH_CHECK(EVP_DigestFinal_ex(context_.get(), sum.data(), &size) == 1);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : std::span(sum).first(size)) {
    text.push_back(kDigits[byte >> 4U]);
    text.push_back(kDigits[byte & 15U]);
  }
  return text;
}

}  // namespace perch::peer
