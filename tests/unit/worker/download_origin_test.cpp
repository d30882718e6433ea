// SPDX-License-Identifier: Apache-2.0
// What origins do, and what becomes of a download: one oddity a test.
#include <doctest/doctest.h>

#include "tests/support/requirement.h"
#include "tests/unit/worker/download_world.h"

namespace perch::test {
namespace {

using Kind = peer::Failure::Kind;
constexpr std::uint64_t kSize = 1'000'000;
const std::string kData = "/data?size=1000000";

// It arrives, and is what the origin has without its oddity.
void check_arrives(const std::string& oddity, const std::string& path = kData) {
  const OriginServer origin;
  DownloadWorld world;
  const auto caller = world.get(origin.url(path + oddity));
  const auto& failure = caller->download().failure();
  REQUIRE_MESSAGE(!failure, failure->reason);
  CHECK(caller->sha256() == origin.sha256_of(path));
}

struct Refused {
  Kind kind;
  std::string reason;
  int requests;
};
Refused check_refused(const std::string& oddity) {
  const OriginServer origin;
  DownloadWorld world;
  const auto caller = world.get(origin.url(kData + oddity));
  const auto& failure = caller->download().failure();
  REQUIRE(failure.has_value());
  return {failure->kind, failure->reason, origin.stats()["requests"].get<int>()};
}

// A certificate for 127.0.0.1 and its key, in one file.
std::string make_certificate(const TemporaryDirectory& directory) {
  const std::string file = directory.path("certificate");
  const auto made = run(
      {.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file + ".key", "-out",
                file + ".crt", "-subj", "/CN=origin", "-addext", "subjectAltName=IP:127.0.0.1"}});
  REQUIRE_MESSAGE(made.ending == exited(0), made.err);
  REQUIRE(run({.argv = {"sh", "-c", "cat " + file + ".crt " + file + ".key > " + file}}).ending ==
          exited(0));
  return file;
}

}  // namespace

TEST_CASE("a download goes on inside the pieces that an earlier life had begun") {
  const OriginServer origin({"--rate", "2000000"});
  DownloadWorld world({.connections_per_task = 3});
  const std::string url = origin.url(kData);
  std::uint64_t before = 0;
  {
    const auto caller = world.join(url);
    REQUIRE(world.run_until([&] { return caller->bytes_stored() > kSize / 3; }));
    before = caller->bytes_stored();
  }
  world.restart();
  const auto caller = world.get(url);
  CHECK(caller->sha256() == origin.sha256_of(kData));
  CHECK(world.traffic().resumed_bytes == before);
  CHECK(world.traffic().refetched_bytes == 0);
  // One byte more: the question what the file is.
  CHECK(world.traffic().origin_bytes == kSize - before + 1);
}

TEST_CASE(
    "a file that changes in the middle ends its download; the next one is all of the new file") {
  std::string how;
  SUBCASE("told by 200 for a part") { how = "&changed=200"; }
  SUBCASE("told by 412") { how = "&changed=412"; }
  SUBCASE("told by 416") { how = "&changed=416"; }
  SUBCASE("told by the part's ETag alone") { how = "&changed=etag"; }
  SUBCASE("told by Last-Modified") { how = "&version=modified"; }
  const OriginServer origin;
  DownloadWorld world;
  const std::string url = origin.url(kData + "&change=6" + how);
  const auto first = world.get(url);
  CHECK(first->failure() == Kind::Changed);
  const auto second = world.get(url);
  CHECK(second->failure() == std::nullopt);
  CHECK(second->sha256() == origin.sha256_of(kData + "&seed=0changed"));
  CHECK(second->download().files().manifest().generation == 2);
  CHECK(world.traffic().refetched_bytes > 0);
}

TEST_CASE("a stored part of another version is not gone on with, and nobody is troubled") {
  const OriginServer origin({"--rate", "2000000"});
  DownloadWorld world;
  const std::string url = origin.url(kData + "&change=30");
  {
    const auto caller = world.join(url);
    REQUIRE(world.run_until([&] { return caller->bytes_stored() > 100'000; }));
  }
  while (origin.stats()["requests"] < 30) {
    REQUIRE(run({.argv = {"curl", "-sSI", url}}).ending == exited(0));
  }
  world.restart();
  const auto caller = world.get(url);
  CHECK(caller->failure() == std::nullopt);
  CHECK(caller->sha256() == origin.sha256_of(kData + "&seed=0changed"));
  CHECK(world.traffic().resumed_bytes == 0);
}

TEST_CASE("an origin without ranges is asked for the whole file") { check_arrives("&ranges=no"); }

TEST_CASE("an origin without ranges that closes early is asked from the start, once more") {
  const OriginServer origin;
  DownloadWorld world;
  // The question, then an answer that is cut off, then a whole one.
  const std::string oddity = "&version=none&cut=500000&first=2";
  std::string ranges;
  SUBCASE("and never knew ranges") { ranges = "&ranges=multipart"; }
  SUBCASE("and gives no length") { ranges = "&length=chunked"; }
  const auto caller = world.get(origin.url(kData + ranges + oddity));
  CHECK(caller->failure() == std::nullopt);
  CHECK(caller->sha256() == origin.sha256_of(kData));
}

TEST_CASE("an origin without ranges or versions that changes in the middle is found out") {
  const OriginServer origin;
  DownloadWorld world;
  const std::string url = origin.url(kData + "&ranges=no&version=none&cut=500000&change=3");
  const auto caller = world.get(url);
  CHECK(caller->failure() == Kind::Changed);
}

TEST_CASE("a file whose versions nothing tells apart is fetched in one, ranges or not") {
  std::string version;
  SUBCASE("no validator") { version = "&version=none"; }
  SUBCASE("a weak ETag") { version = "&version=weak"; }
  const OriginServer origin;
  DownloadWorld world;
  const auto caller = world.get(origin.url(kData + version));
  CHECK(caller->sha256() == origin.sha256_of(kData));
  CHECK(origin.stats()["ranges"][1] == nlohmann::json{0, kSize});
}

TEST_CASE("what came of a file without a length is not gone on with once it has that length") {
  // The question and an answer of which only the end is missing; then the length is told.
  check_arrives("&length=chunked&cut=1000000&first=2");
}

TEST_CASE("without a length the file ends where the answer ends") {
  SUBCASE("in chunks") { check_arrives("&length=chunked"); }
  SUBCASE("by closing") { check_arrives("&length=no"); }
  SUBCASE("an empty one") { check_arrives("&length=chunked", "/data?size=0"); }
}

TEST_CASE("an empty file arrives") { check_arrives("", "/data?size=0"); }

TEST_CASE("ranges that make no sense are not asked for again") {
  SUBCASE("several parts") { check_arrives("&ranges=multipart"); }
  SUBCASE("no total") { check_arrives("&ranges=star"); }
}

TEST_CASE("a wrong Content-Range is not taken; a right one is, later") {
  check_arrives("&ranges=odd&first=3");
}

TEST_CASE("an origin that closes early is asked for the rest") {
  const OriginServer origin;
  DownloadWorld world;
  const auto caller = world.get(origin.url(kData + "&cut=40000"));
  CHECK(caller->failure() == std::nullopt);
  CHECK(caller->sha256() == origin.sha256_of(kData));
  CHECK(world.traffic().origin_errors > 0);
  CHECK(world.traffic().refetched_bytes == 0);
}

TEST_CASE("an origin that lies about the length of a part is asked for what it left out") {
  SUBCASE("more than it sends") { check_arrives("&length=more"); }
  SUBCASE("less than it sends") { check_arrives("&length=less&first=6"); }
}

TEST_CASE("what comes behind a part is not taken") { check_arrives("&length=over"); }

TEST_CASE("a redirect is followed") { check_arrives("&redirect=1"); }

TEST_CASE("redirects without end are given up at once") {
  const auto refused = check_refused("&redirect=loop");
  CHECK(refused.kind == Kind::Unsupported);
  CHECK(refused.requests == 11);
}

TEST_CASE("a redirect to another scheme is not followed") {
  CHECK(check_refused("&redirect=ftp://127.0.0.1/").kind == Kind::Unsupported);
}

TEST_CASE("credentials stay with the host that they are for") {
  const OriginServer other;
  const OriginServer origin;
  DownloadWorld world;
  auto spec = DownloadWorld::spec(
      origin.url("/data?redirect=http://127.0.0.1:" + other.port() + "/data%3Fsize=1000"));
  spec.origin.headers = {{"Authorization", "Bearer secret"}, {"Cookie", "a=b"}, {"X-Mine", "yes"}};
  const DownloadCaller caller(world.downloads(), std::move(spec));
  REQUIRE(world.run_until([&] { return caller.ended(); }));
  CHECK(caller.failure() == std::nullopt);
  const auto here = origin.stats()["headers"];
  const auto there = other.stats()["headers"];
  CHECK(here.contains("authorization"));
  CHECK_FALSE(there.contains("authorization"));
  CHECK_FALSE(there.contains("cookie"));
  CHECK(there["x-mine"] == "yes");
}

TEST_CASE("an origin that encodes although it was not asked to has its bytes kept, and named") {
  const OriginServer origin;
  DownloadWorld world;
  const auto caller = world.get(origin.url(kData + "&encoding=gzip"));
  CHECK(origin.stats()["headers"]["accept-encoding"] == "identity");
  CHECK(caller->failure() == std::nullopt);
  CHECK(caller->sha256() == origin.sha256_of(kData));
  CHECK(caller->download().files().manifest().headers.at("content-encoding") == "gzip");
}

TEST_CASE("an origin that is busy for a while is asked again when it says") {
  SUBCASE("503") { check_arrives("&fail=2"); }
  SUBCASE("429, and when") { check_arrives("&fail=1&status=429&retry=1"); }
}

TEST_CASE("an origin that wants to be left alone for an hour is") {
  const auto refused = check_refused("&fail=100&retry=3600");
  CHECK(refused.kind == Kind::Unavailable);
  CHECK(refused.reason == "the origin answers 503");
  CHECK(refused.requests == 1);
}

TEST_CASE("a refusal is told by its kind, and not asked for twice") {
  for (const auto& [status, kind] : {std::pair("401", Kind::Denied),
                                     {"403", Kind::Denied},
                                     {"404", Kind::NotFound},
                                     {"410", Kind::NotFound},
                                     {"418", Kind::Unsupported}}) {
    CAPTURE(status);
    const auto refused = check_refused("&fail=100&status=" + std::string(status));
    CHECK(refused.kind == kind);
    CHECK(refused.requests == 1);
  }
}

TEST_CASE("an origin with too many header fields is refused before they are held") {
  const auto refused = check_refused("&huge=90");
  CHECK(refused.kind == Kind::Unsupported);
  CHECK(refused.reason.find("64 KiB") != std::string::npos);
  CHECK(refused.requests == 1);
}

TEST_CASE("https needs a certificate that is known") {
  if (!have(is_installed("openssl"), "needs openssl: a certificate")) return;
  const TemporaryDirectory directory;
  const std::string certificate = make_certificate(directory);
  const OriginServer origin({"--certificate", certificate});
  SUBCASE("by --ca-file") {
    DownloadWorld world({.ca_file = certificate + ".crt"});
    const auto caller = world.get(origin.url(kData));
    CHECK(caller->failure() == std::nullopt);
    CHECK(caller->sha256() == origin.sha256_of(kData));
  }
  SUBCASE("else it is refused at once") {
    DownloadWorld world;
    const auto caller = world.get(origin.url(kData));
    CHECK(caller->failure() == Kind::Unsupported);
    CHECK(caller->download().failure()->reason.find("certificate") != std::string::npos);
    CHECK(origin.stats()["requests"] == 0);
  }
}

TEST_CASE("an upstream proxy gets all requests, and is asked for peer-to-peer") {
  const OriginServer origin;
  const OriginServer proxy;
  DownloadWorld world({.upstream_proxy = proxy.url("")});
  const auto caller = world.get(origin.url(kData));
  CHECK(caller->failure() == std::nullopt);
  CHECK(caller->sha256() == origin.sha256_of(kData));
  const auto stats = proxy.stats();
  CHECK(stats["headers"]["x-dragonfly-use-p2p"] == "true");
  CHECK(stats["bytes"] == kSize + 1);
  CHECK(stats["requests"] == world.traffic().origin_requests);
}

}  // namespace perch::test
