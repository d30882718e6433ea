// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/store.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/worker/store_tools.h"
#include "worker/peer/store/crc32c.h"

namespace perch::peer {

namespace fs = std::filesystem;

TEST_CASE("the checksum is CRC-32C, with and without the processor's help") {
  CHECK(crc32c(bytes("123456789")) == 0xE3069283);
  std::string text;
  for (int i = 0; i < 300; ++i) {
    CHECK(crc32c(bytes(text)) == crc32c_by_table(bytes(text)));
    text.push_back(static_cast<char>(i * 7));
  }
  CHECK(crc32c(bytes("6789"), crc32c(bytes("12345"))) == crc32c(bytes("123456789")));
}

TEST_CASE("the next process of this boot goes on within a piece") {
  const StoreWorld world;
  {
    const Store store = world.open();
    auto files = store.create(kId, manifest_of(2500));
    REQUIRE(files.has_value());
    put(*files, 0, 'x');
    put(*files, 1, 'y', 300);
    put(*files, 2, 'z');
  }
  const Store store = world.open();
  auto files = store.find(kId);
  REQUIRE(files.has_value());
  CHECK(files->manifest().headers.at("etag") == "\"v1\"");
  CHECK_FALSE(files->needs_check());
  CHECK(files->done(0));
  CHECK_FALSE(files->done(1));
  CHECK(files->bytes_done(1) == 300);
  CHECK(files->verify(1).value());
  const Census census = store.census();
  CHECK(census.tasks == 1);
  CHECK(census.finished_tasks == 0);
  CHECK(census.pieces == 2);
  CHECK(census.bytes == 1800);

  put(*files, 1, 'w');
  CHECK(files->done(1));
  CHECK(files->verify(1).value());
  CHECK(content_of(*files) == std::string(1000, 'x') + std::string(300, 'y') +
                                  std::string(700, 'w') + std::string(500, 'z'));
  CHECK(world.said().empty());
}

TEST_CASE("after a reboot finished pieces are verified, partial ones dropped, then all believed") {
  const StoreWorld world;
  {
    auto files = world.open().create(kId, manifest_of(2500));
    put(*files, 0, 'x');
    put(*files, 1, 'y', 300);
    put(*files, 2, 'z');
  }
  damage(world.path("data"), 2100);  // what a disk may lose with the power
  for (const char* process : {"killed before it believes", "the next one"}) {
    CAPTURE(process);
    auto files = world.open("boot 2").find(kId);
    CHECK(files->needs_check());
    CHECK(files->bytes_done(1) == 0);
    CHECK(files->verify(0).value());
    CHECK_FALSE(files->verify(2).value());
  }
  auto files = world.open("boot 2").find(kId);
  REQUIRE(files->believe().has_value());
  CHECK_FALSE(files->needs_check());
  files = world.open("boot 2").find(kId);
  CHECK_FALSE(files->needs_check());
  CHECK(files->done_count() == 1);
  CHECK(files->bytes_done(1) == 0);
}

TEST_CASE("starting over is a new generation that believes nothing of the old one") {
  const StoreWorld world;
  const Store store = world.open();
  auto old = store.create(kId, manifest_of(2500));
  put(*old, 0, 'x');
  fs::copy_file(world.path("state"), world.directory() + "/old-state");

  const auto files = store.create(kId, manifest_of(2500));
  CHECK(files->manifest().generation == 2);
  CHECK(files->done_count() == 0);
  fs::copy_file(world.directory() + "/old-state", world.path("state"),
                fs::copy_options::overwrite_existing);
  CHECK(store.find(kId)->done_count() == 0);
}

TEST_CASE("a file of unknown length grows, and is a task once its end is known") {
  const StoreWorld world;
  const Store store = world.open();
  auto files = store.create_unsized(kId, manifest_of(0));
  REQUIRE(files.has_value());
  REQUIRE(files->append(0, bytes(std::string(kPiece, 'x'))).has_value());
  REQUIRE(files->append(1, bytes("end")).has_value());
  CHECK(files->layout().length == 1003);
  CHECK(files->done(0));
  CHECK_FALSE(files->done(1));
  CHECK(store.find(kId).error().is(ENOENT));
  CHECK(store.list().empty());

  SUBCASE("of the length that was said") {
    REQUIRE(files->settle(1003).has_value());
    CHECK(files->done_count() == 2);
    REQUIRE(files->mark_finished("").has_value());
    CHECK(store.stat(kId)->finished);
    CHECK(content_of(*store.find(kId)) == std::string(kPiece, 'x') + "end");
  }
  SUBCASE("of another one") {
    CHECK_FALSE(files->settle(1004).has_value());
    CHECK(store.find(kId).error().is(ENOENT));
  }
  SUBCASE("its process ends: nothing is left") {
    const auto removed = store.collect({}, [](const std::string&) { return false; });
    CHECK(removed.size() == 1);
    CHECK(fs::is_empty(world.tasks()));
  }
}

TEST_CASE("a file of unknown length may be empty") {
  const StoreWorld world;
  const Store store = world.open();
  auto files = store.create_unsized(kId, manifest_of(0));
  REQUIRE(files->settle(0).has_value());
  REQUIRE(files->mark_finished("").has_value());
  CHECK(store.stat(kId)->finished);
}

TEST_CASE("a finished task is listed with what it is and when it was used") {
  const StoreWorld world;
  const Store store = world.open();
  auto files = store.create(kId, manifest_of(2500));
  put_all(*files);
  CHECK(store.create(kOtherId, manifest_of(2500)).has_value());
  const auto task = store.stat(kId);
  REQUIRE(task.has_value());
  CHECK(task->finished);
  CHECK(task->pieces_done == 3);
  CHECK(task->bytes_done == 2500);
  CHECK(task->manifest.finished >= task->manifest.created);
  CHECK(store.list().size() == 2);
  CHECK_FALSE(store.stat(kOtherId)->finished);
  const FileTime before = task->updated;
  REQUIRE(files->touch().has_value());
  CHECK(store.stat(kId)->updated >= before);
  CHECK_FALSE(store.find(kId)->needs_check());
}

TEST_CASE("a store has one owner at a time") {
  const StoreWorld world;
  const Store first = world.open();
  const auto second = world.try_open();
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().is(EWOULDBLOCK));
  CHECK(second.error().text().find("in use by another perch-peer") != std::string::npos);
}

TEST_CASE("a removed task is gone, an empty file is a finished task") {
  const StoreWorld world;
  const Store store = world.open();
  REQUIRE(store.create(kId, manifest_of(0)).has_value());
  CHECK(store.census().finished_tasks == 1);
  REQUIRE(store.remove(kId).has_value());
  CHECK(store.find(kId).error().is(ENOENT));
  CHECK(store.remove(kId).has_value());
}

TEST_CASE("only a strong ETag or a date tells versions apart") {
  CHECK(validator_of({{"etag", "\"a\""}, {"last-modified", "x"}}) == "etag \"a\"");
  CHECK(validator_of({{"etag", "W/\"a\""}, {"last-modified", "x"}}) == "last-modified x");
  CHECK(validator_of({{"etag", "W/\"a\""}}).empty());
}

}  // namespace perch::peer
