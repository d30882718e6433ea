// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/task_id.h"

#include <doctest/doctest.h>

namespace perch::peer {

TEST_CASE("an id is the one that Dragonfly gives to the same download") {
  const std::string url = "https://example.com";
  struct Row {
    TaskKey key;
    std::string id;
  };
  const Row rows[] = {
      {{url, "foo", "bar", {}, {}, {}},
       "06408fbf247ddaca478f8cb9565fe5591c28efd0994b8fea80a6a87d3203c5ca"},
      {{url, "foo", "", {}, {}, {}},
       "3c3f230ef9f191dd2821510346a7bc138e4894bee9aee184ba250a3040701d2a"},
      {{url, "", "bar", {}, {}, {}},
       "c9f9261b7305c24371244f9f149f5d4589ed601348fdf22d7f6f4b10658fdba2"},
      {{url, "", "", {}, 1024, {}},
       "9f7c9aafbc6f30f8f41a96ca77eeae80c5b60964b3034b0ee43ccf7b2f9e52b8"},
      {{url + "?foo=foo&bar=bar", "", "", {"foo", "bar"}, {}, {}},
       "457b4328cde278e422c9e243f7bfd1e97f511fec43a80f535cf6b0ef6b086776"},
      {{url + "/file.txt?z=9&b=2&a=1", "foo", "bar", {"z"}, {}, {}},
       "8b3f6e9b9b8fe20903bced565cfd1d0aaef354a4c17573f0c2c1979210443f9d"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.key.url);
    CHECK(task_id(row.key) == row.id);
    CHECK(is_task_id(row.id));
  }
}

TEST_CASE("given content makes the id alone") {
  const TaskKey key{"https://example.com", "t", "a", {}, 1024, "abc"};
  CHECK(task_id(key) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("filtered parameters go, the others are sorted and escaped, the fragment stays") {
  const auto filtered = [](std::string_view url) { return without_query_params(url, {"sig"}); };
  CHECK(filtered("http://a/f?b=2&a=1&b=1&sig=x") == "http://a/f?a=1&b=2&b=1");
  CHECK(filtered("http://a/f?k=a b&m=x*y&n=c~d") == "http://a/f?k=a+b&m=x%2Ay&n=c~d");
  CHECK(filtered("http://a/f?u=f&sig=1#size") == "http://a/f?u=f#size");
  CHECK(filtered("http://a/f?a=1;x&b=2") == "http://a/f?b=2");
  CHECK(filtered("http://a/f?a=%4&b=%zz&c=%") == "http://a/f?a=%254&b=%25zz&c=%25");
  CHECK(filtered("http://a/?sig=1") == "http://a");
  CHECK(filtered("http://a/d/?sig=1") == "http://a/d/");
  CHECK(without_query_params("http://a/f?b=2&a=1", {}) == "http://a/f?b=2&a=1");
}

TEST_CASE("what cannot be an id never names a directory") {
  CHECK_FALSE(is_task_id(""));
  CHECK_FALSE(is_task_id("../../etc"));
  CHECK_FALSE(is_task_id(std::string(63, 'a')));
  CHECK_FALSE(is_task_id(std::string(64, 'A')));
}

}  // namespace perch::peer
