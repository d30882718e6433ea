// SPDX-License-Identifier: Apache-2.0
// Whole files and the digests that callers expect of them.
#include <doctest/doctest.h>
#include <fcntl.h>

#include <filesystem>

#include "common/posix/file.h"
#include "tests/unit/worker/download_world.h"
#include "worker/peer/store/whole_io.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

using Kind = peer::Failure::Kind;
constexpr std::uint64_t kSize = 1'000'000;
const std::string kData = "/data?size=1000000";
const std::string kWrong = "sha256:" + std::string(64, '0');

void damage(const DownloadCaller& caller, std::uint64_t offset) {
  const auto file = open_file(caller.download().files().data_path(), O_RDWR);
  REQUIRE(file.has_value());
  REQUIRE(peer::write_whole(file->get(), offset, std::as_bytes(std::span("!", 1))).has_value());
}

bool is_stored(const DownloadWorld& world, const std::string& url) {
  return world.store().find(DownloadWorld::spec(url).id).has_value();
}

}  // namespace

TEST_CASE("a file with the digest that was expected is finished, with it") {
  const OriginServer origin;
  DownloadWorld world;
  const std::string digest = origin.sha256_of(kData);
  const auto caller = world.get(origin.url(kData), digest);
  CHECK(caller->failure() == std::nullopt);
  CHECK(caller->download().files().manifest().digest == digest);
  CHECK(world.traffic().refetched_bytes == 0);
}

TEST_CASE("a file without it is fetched once more, then lost and forgotten") {
  const OriginServer origin;
  DownloadWorld world;
  std::string oddity;
  std::uint64_t times = 2;
  SUBCASE("by parts") {}
  SUBCASE("in one") { oddity = "&ranges=no"; }
  SUBCASE("from an origin that does not say its length, and so cannot be compared") {
    oddity = "&length=chunked";
    times = 1;
  }
  const std::string url = origin.url(kData + oddity);
  const auto caller = world.get(url, kWrong);
  CHECK(caller->failure() == Kind::DataLoss);
  CHECK_FALSE(is_stored(world, url));
  CHECK(world.traffic().refetched_bytes == (times - 1) * kSize);
  CHECK(world.traffic().downloads_failed == 1);
}

TEST_CASE(
    "of two callers with two digests each gets its own verdict, and nothing is fetched again") {
  const OriginServer origin;
  DownloadWorld world;
  const std::string url = origin.url(kData);
  const auto wrong = world.join(url, kWrong);
  const auto right = world.join(url, origin.sha256_of(kData));
  const auto neither = world.join(url);
  REQUIRE(world.run_until([&] { return wrong->ended() && right->ended() && neither->ended(); }));
  CHECK(wrong->failure() == Kind::DataLoss);
  CHECK(right->failure() == std::nullopt);
  CHECK(neither->failure() == std::nullopt);
  CHECK(world.traffic().origin_bytes == kSize + 1);
  CHECK(is_stored(world, url));

  // One that comes later, too.
  const auto late = world.get(url, "md5:" + std::string(32, '0'));
  CHECK(late->failure() == Kind::DataLoss);
  CHECK(world.traffic().origin_bytes == kSize + 1);
  CHECK(is_stored(world, url));
}

TEST_CASE("a file once proven is not given up for another caller's digest") {
  const OriginServer origin;
  DownloadWorld world;
  const std::string url = origin.url(kData);
  (void)world.get(url, origin.sha256_of(kData));
  world.restart();
  CHECK(world.get(url, kWrong)->failure() == Kind::DataLoss);
  CHECK(is_stored(world, url));
  CHECK(world.traffic().origin_requests == 0);
}

TEST_CASE("a digest that is asked for while another one is found wrong has a verdict of its own") {
  const OriginServer origin;
  DownloadWorld world;
  const auto right = peer::Digest::parse(origin.sha256_of(kData)).value();
  const auto wrong = peer::Digest::parse(kWrong).value();
  (void)world.get(origin.url(kData), right.text());
  auto files = world.store().find(DownloadWorld::spec(origin.url(kData)).id).value();
  peer::Verification verification;
  REQUIRE(verification.want(wrong));
  // The file is read once, then its first pieces are held against their checksums.
  for (int step = 0; step < 3; ++step) {
    REQUIRE(verification.step(files).value() == peer::Verification::Outcome::More);
  }
  REQUIRE(verification.want(right));
  while (verification.step(files).value() == peer::Verification::Outcome::More) continue;
  CHECK(verification.verdict(right) == peer::Verification::Verdict::Right);
  CHECK(verification.verdict(wrong) == peer::Verification::Verdict::Wrong);
}

TEST_CASE("no more digests are held against a file than it may be read for") {
  peer::Verification verification;
  for (std::size_t number = 0; number < peer::Verification::kMaxDigests; ++number) {
    const std::string hex(64, "0123456789abcdef"[number]);
    REQUIRE(verification.want(peer::Digest::parse("sha256:" + hex).value()));
  }
  CHECK(verification.want(peer::Digest::parse(kWrong).value()));
  CHECK_FALSE(verification.want(peer::Digest::parse("md5:" + std::string(32, '0')).value()));
}

TEST_CASE("a file that has another length by now is for those who ask again") {
  DownloadWorld world;
  const OriginServer origin({"--root", world.path(".")});
  const std::string url = origin.url("/file/f");
  write_text(world.path("f"), "before");
  (void)world.get(url);
  write_text(world.path("f"), "afterwards");
  const std::string digest = sha256_of(world.path("f"));
  CHECK(world.get(url, digest)->failure() == Kind::Changed);
  CHECK(world.get(url, digest)->failure() == std::nullopt);
}

TEST_CASE("a stored file that cannot be looked at is not fetched anew in its place") {
  const OriginServer origin;
  DownloadWorld world;
  const std::string url = origin.url(kData);
  (void)world.get(url);
  const auto manifest =
      fs::path(world.store().find(DownloadWorld::spec(url).id)->data_path()).parent_path() /
      "manifest";
  fs::rename(manifest, world.path("manifest"));
  fs::create_directory(manifest);
  CHECK(world.get(url)->failure() == Kind::Internal);
  fs::remove(manifest);
  fs::rename(world.path("manifest"), manifest);
  const auto requests = world.traffic().origin_requests;
  CHECK(world.get(url)->failure() == std::nullopt);
  CHECK(world.traffic().origin_requests == requests);
}

TEST_CASE("pieces that cannot be read are fetched again when a digest is asked for") {
  const OriginServer origin;
  DownloadWorld world;
  const std::string url = origin.url(kData);
  const auto caller = world.get(url);
  fs::resize_file(caller->download().files().data_path(), 10 * kTestPiece);
  const auto checked = world.get(url, origin.sha256_of(kData));
  CHECK(checked->failure() == std::nullopt);
  CHECK(checked->sha256() == origin.sha256_of(kData));
}

TEST_CASE("a piece that the disk has damaged is fetched again, alone, when a digest finds it out") {
  const OriginServer origin;
  DownloadWorld world;
  const std::string url = origin.url(kData);
  {
    const auto caller = world.get(url);
    damage(*caller, 3 * kTestPiece + 5);
    // Still running, as it were: what is told of pieces comes again.
    const auto checked = world.get(url, origin.sha256_of(kData));
    CHECK(checked->failure() == std::nullopt);
    CHECK(checked->sha256() == origin.sha256_of(kData));
    CHECK(caller->download().finished().back() == 3);
    CHECK(caller->download().finished().size() == caller->download().files().layout().count() + 1);
  }
  CHECK(world.traffic().refetched_bytes == kTestPiece);
  CHECK(world.traffic().origin_bytes == kSize + kTestPiece + 2);
}

}  // namespace perch::test
