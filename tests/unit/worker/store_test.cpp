// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/store.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/posix/file.h"
#include "tests/support/temporary_directory.h"
#include "worker/peer/store/crc32c.h"
#include "worker/peer/store/whole_io.h"

namespace perch::peer {
namespace {

namespace fs = std::filesystem;
using test::TemporaryDirectory;

const std::string kId(64, 'a');
constexpr std::uint64_t kPiece = 1000;

Manifest manifest_of(std::uint64_t length) {
  return {"http://origin/file", {length, kPiece}, {{"etag", "\"v1\""}}, 1};
}

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

// Does what a download does with one whole piece.
void put_piece(TaskFiles& files, std::uint32_t number, char fill) {
  const std::string data(files.layout().piece(number).size(), fill);
  REQUIRE(files.write(files.layout().piece(number).begin, bytes(data)).has_value());
  REQUIRE(files.finish_piece(number, crc32c(bytes(data))).has_value());
}

void damage(const std::string& path, std::uint64_t offset) {
  const auto file = open_file(path, O_RDWR);
  REQUIRE(file.has_value());
  REQUIRE(write_whole(file->get(), offset, bytes("!")).has_value());
}

}  // namespace

TEST_CASE("the checksum is CRC-32C, with and without the processor's help") {
  CHECK(crc32c(bytes("123456789")) == 0xE3069283);
  std::string text;
  for (int i = 0; i < 300; ++i) {
    CHECK(crc32c(bytes(text)) == crc32c_by_table(bytes(text)));
    text.push_back(static_cast<char>(i * 7));
  }
  CHECK(crc32c(bytes("6789"), crc32c(bytes("12345"))) == crc32c(bytes("123456789")));
}

TEST_CASE("finished pieces are found again by the next life, unfinished ones are missing") {
  const TemporaryDirectory directory;
  {
    const auto store = Store::open(directory.path());
    auto files = store->create(kId, manifest_of(2500));
    REQUIRE(files.has_value());
    put_piece(*files, 0, 'x');
    put_piece(*files, 2, 'z');
    // Piece 1 has its data, but the process ends before its record.
    REQUIRE(files->write(kPiece, bytes(std::string(kPiece, 'y'))).has_value());
  }
  const auto store = Store::open(directory.path());
  auto files = store->find(kId);
  REQUIRE(files.has_value());
  CHECK(files->manifest().headers.at("etag") == "\"v1\"");
  CHECK(files->verify(0).value());
  CHECK_FALSE(files->verify(1).value());
  CHECK(files->verify(2).value());
  CHECK(store->census().tasks == 1);
  CHECK(store->census().finished_tasks == 0);
  CHECK(store->census().pieces == 2);
}

TEST_CASE("a piece whose data changed under its record is forgotten") {
  const TemporaryDirectory directory;
  const auto store = Store::open(directory.path());
  auto files = store->create(kId, manifest_of(2500));
  put_piece(*files, 0, 'x');
  put_piece(*files, 1, 'y');
  damage(files->data_path(), kPiece + 500);
  CHECK(files->verify(0).value());
  CHECK_FALSE(files->verify(1).value());
  CHECK_FALSE(store->find(kId)->done(1));
}

TEST_CASE("a torn or foreign state file makes pieces missing, never wrong") {
  const TemporaryDirectory directory;
  const auto store = Store::open(directory.path());
  const std::string state = directory.path("tasks/" + kId + "/state");
  {
    auto files = store->create(kId, manifest_of(2500));
    put_piece(*files, 0, 'x');
    put_piece(*files, 1, 'y');
  }
  SUBCASE("cut in the middle of a record") {
    fs::resize_file(state, 16 + 7);
    CHECK(store->find(kId)->done_count() == 1);
  }
  SUBCASE("gone") {
    fs::remove(state);
    CHECK(store->find(kId)->done_count() == 0);
  }
  SUBCASE("text of another program") {
    std::ofstream(state) << "these are not the records you are looking for, nor will they be";
    CHECK(store->find(kId)->done_count() == 0);
  }
  SUBCASE("a checksum of other data") {
    damage(state, 4);
    CHECK_FALSE(store->find(kId)->verify(0).value());
  }
}

TEST_CASE("starting over is a new generation that believes nothing of the old one") {
  const TemporaryDirectory directory;
  const auto store = Store::open(directory.path());
  const std::string task = directory.path("tasks/" + kId);
  auto old = store->create(kId, manifest_of(2500));
  put_piece(*old, 0, 'x');
  fs::copy_file(task + "/state", directory.path("old-state"));

  const auto files = store->create(kId, manifest_of(2500));
  CHECK(files->manifest().generation == 2);
  CHECK(files->done_count() == 0);
  fs::copy_file(directory.path("old-state"), task + "/state", fs::copy_options::overwrite_existing);
  CHECK(store->find(kId)->done_count() == 0);
}

TEST_CASE("without a whole manifest there is no task, and it can be begun anew") {
  const TemporaryDirectory directory;
  const auto store = Store::open(directory.path());
  const std::string manifest = directory.path("tasks/" + kId + "/manifest");
  {
    auto files = store->create(kId, manifest_of(2500));
    put_piece(*files, 0, 'x');
  }
  SUBCASE("missing") { fs::remove(manifest); }
  SUBCASE("cut") { fs::resize_file(manifest, fs::file_size(manifest) / 2); }
  SUBCASE("another program's") { std::ofstream(manifest) << R"({"version":1,"url":7})"; }
  CHECK_FALSE(store->find(kId).has_value());
  CHECK(store->census().tasks == 0);
  const auto files = store->create(kId, manifest_of(2500));
  REQUIRE(files.has_value());
  CHECK(files->done_count() == 0);
}

TEST_CASE("foreign entries in the store are neither counted nor touched") {
  const TemporaryDirectory directory;
  const auto store = Store::open(directory.path());
  fs::create_directories(directory.path("tasks/lost+found"));
  std::ofstream(directory.path("tasks/notes.txt")) << "mine";
  CHECK(store->census().tasks == 0);
  CHECK(fs::exists(directory.path("tasks/notes.txt")));
}

TEST_CASE("a store has one owner at a time") {
  const TemporaryDirectory directory;
  const auto first = Store::open(directory.path());
  REQUIRE(first.has_value());
  const auto second = Store::open(directory.path());
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().is(EWOULDBLOCK));
}

TEST_CASE("a removed task is gone, an empty file is a finished task") {
  const TemporaryDirectory directory;
  const auto store = Store::open(directory.path());
  REQUIRE(store->create(kId, manifest_of(0)).has_value());
  CHECK(store->census().finished_tasks == 1);
  REQUIRE(store->remove(kId).has_value());
  CHECK(store->find(kId).error().is(ENOENT));
}

TEST_CASE("only a strong ETag or a date tells versions apart") {
  CHECK(validator_of({{"etag", "\"a\""}, {"last-modified", "x"}}) == "etag \"a\"");
  CHECK(validator_of({{"etag", "W/\"a\""}, {"last-modified", "x"}}) == "last-modified x");
  CHECK(validator_of({{"etag", "W/\"a\""}}).empty());
}

}  // namespace perch::peer
