// SPDX-License-Identifier: Apache-2.0
// The words between perch and keeper: what each request is, and what is none.
#include "supervisor/keeper/protocol.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace perch::test {

using keeper::parse_request;
using What = keeper::Request::What;

TEST_CASE("each request is read as it was written") {
  CHECK(parse_request(keeper::hello(), 1)->what == What::Hello);
  CHECK(parse_request(keeper::bye(), 0)->what == What::Bye);
  CHECK(parse_request(keeper::fetch_after(""), 0)->key.empty());
  CHECK(parse_request(keeper::fetch_after("/a"), 0)->key == "/a");
  CHECK(parse_request(keeper::drop("/a"), 0)->key == "/a");
  const auto keep = parse_request(keeper::keep("/run/a=b c", "socket file"), 2);
  REQUIRE(keep);
  CHECK(keep->what == What::Keep);
  CHECK(keep->key == "/run/a=b c");
  CHECK(keep->facts == "socket file");
}

TEST_CASE("what no perch says is malformed") {
  struct Malformed {
    std::string text;
    std::size_t descriptors;
  };
  const std::string key(keeper::kMaxKey, 'k');
  const std::vector<Malformed> all{
      {"", 0},
      {"nonsense", 0},
      {"HELLO=2\n", 1},
      {"HELLO=1\n", 0},
      {"HELLO=1\n", 2},
      {"BYE=1\n", 1},
      {"DROP=\n", 0},
      {"DROP=" + key + "k\n", 0},
      {"FETCH=" + key + "k\n", 0},
      {"FETCH=a\n", 1},
      {"KEEP=a\n", 0},
      {"KEEP=a\n", keeper::kMaxFdsOfOne + 1},
      {"KEEP=\n", 1},
      {"KEEP=" + key + "k\n", 1},
      {"KEEP=a\nFACTS=" + std::string(keeper::kMaxFacts + 1, 'f') + "\n", 1},
      {"KEEP=a\nX=" + std::string(keeper::kMaxMessage, 'x') + "\n", 1},
      {std::string("\0\1\2\xff", 4), 0},
  };
  for (const Malformed& one : all) {
    CAPTURE(one.text.substr(0, 40));
    CHECK_FALSE(parse_request(one.text, one.descriptors));
  }
}

}  // namespace perch::test
