// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "worker/peer/store/digest.h"

namespace perch::peer {
namespace {

std::string sum_of(HashKind kind, std::string_view text) {
  Hasher hasher(kind);
  // In two parts: a sum goes on where it was.
  hasher.add(text.substr(0, 4));
  hasher.add(text.substr(4));
  return hasher.hex();
}

}  // namespace

TEST_CASE("a digest has an algorithm that Dragonfly knows and as many digits as that takes") {
  CHECK(Digest::parse("sha256:" + std::string(64, 'A'))->hex == std::string(64, 'a'));
  CHECK(Digest::parse("sha512:" + std::string(128, '0'))->kind == HashKind::Sha512);
  CHECK(Digest::parse("md5:" + std::string(32, '1'))->kind == HashKind::Md5);
  CHECK(Digest::parse("crc32:CBF43926")->hex == "cbf43926");
  for (const std::string& text :
       {"sha256:" + std::string(63, 'a'), "sha256:" + std::string(64, 'g'), std::string("md5:1"),
        std::string("crc32:cbf4392"), std::string("crc32:-123456789"),
        std::string("crc32:9999999999"), std::string("blake3:00"), std::string()}) {
    CAPTURE(text);
    CHECK_FALSE(Digest::parse(text).has_value());
  }
}

TEST_CASE("a CRC-32 may be the decimal number that Dragonfly's own tools write") {
  CHECK(Digest::parse("crc32:1475635037") == Digest{HashKind::Crc32, "57f4675d"});
  CHECK(Digest::parse("crc32:0000000001")->text() == "crc32:00000001");
}

TEST_CASE("sums are those that everybody computes") {
  CHECK(sum_of(HashKind::Crc32, "123456789") == "cbf43926");
  CHECK(sum_of(HashKind::Crc32, "test content") == "57f4675d");
  CHECK(sum_of(HashKind::Md5, "123456789") == "25f9e794323b453885f5181f1b624d0b");
  CHECK(sum_of(HashKind::Sha256, "123456789") ==
        "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
  CHECK(sum_of(HashKind::Sha512, "123456789").starts_with("d9e6762dd1c8eaf6"));
}

}  // namespace perch::peer
