// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/origin_answer.h"

#include <doctest/doctest.h>

namespace perch::peer {
namespace {

const Manifest kStored{"http://origin/file", {1000, 100}, {{"etag", "\"v1\""}}, 1};

OriginAnswer part(std::string range, std::string etag = "\"v1\"") {
  return {206, {{"content-range", std::move(range)}, {"etag", std::move(etag)}}};
}

}  // namespace

TEST_CASE("an answer is its last status line and the fields after it") {
  OriginAnswer answer;
  for (const char* line : {"HTTP/1.1 302 Found\r\n", "ETag: \"old\"\r\n", "\r\n", "HTTP/2 206\r\n",
                           "Content-Range:  bytes 0-0/7 \r\n", "nonsense\r\n", "\r\n"}) {
    answer.take_line(line);
  }
  CHECK(answer.status == 206);
  CHECK(answer.headers == Headers{{"content-range", "bytes 0-0/7"}});
}

TEST_CASE("Content-Range is read strictly") {
  CHECK(parse_content_range("bytes 5-9/10")->range == ByteRange{5, 10});
  CHECK(parse_content_range("bytes 5-9/10")->total == 10);
  for (const char* text :
       {"", "bytes", "bytes */10", "bytes 5-9/*", "bytes 9-5/10", "bytes 5-10/10", "bytes 5-9/10x",
        "octets 5-9/10", "bytes 5-99999999999999999999/10"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_content_range(text).has_value());
  }
}

TEST_CASE("one byte tells what the file is") {
  const auto ranged = facts_of({206, {{"content-range", "bytes 0-0/77"}, {"etag", "\"a\""}}});
  REQUIRE(ranged.has_value());
  CHECK(ranged->length == 77);
  CHECK(ranged->ranges);
  CHECK(ranged->headers == Headers{{"etag", "\"a\""}});

  const auto whole = facts_of({200, {{"content-length", "77"}}});
  REQUIRE(whole.has_value());
  CHECK(whole->length == 77);
  CHECK_FALSE(whole->ranges);

  CHECK(facts_of({416, {{"content-range", "bytes */0"}}})->length == 0);
  CHECK_FALSE(facts_of({200, {}})->length.has_value());
  CHECK_FALSE(facts_of({200, {{"content-length", "7"}, {"transfer-encoding", "chunked"}}})->length);
}

TEST_CASE("a version that is not ASCII can be neither stored nor told, and is none") {
  const OriginAnswer answer{
      206, {{"content-range", "bytes 0-0/77"}, {"etag", "\"\xe9\""}, {"last-modified", "then"}}};
  const auto facts = facts_of(answer);
  REQUIRE(facts.has_value());
  CHECK(facts->headers == Headers{{"last-modified", "then"}});
  CHECK(version_of(facts->headers) == "then");
  CHECK(same_file({"http://origin/file", {77, 100}, facts->headers, 1}, *facts));
}

TEST_CASE("what cannot be downloaded is refused with its kind") {
  using enum Failure::Kind;
  const auto kind = [](const OriginAnswer& answer) { return facts_of(answer).error().kind; };
  CHECK(kind({206, {{"content-range", "bytes 1-1/77"}}}) == Unsupported);
  CHECK(kind({404, {}}) == NotFound);
  CHECK(kind({410, {}}) == NotFound);
  CHECK(kind({401, {}}) == Denied);
  CHECK(kind({403, {}}) == Denied);
  CHECK(kind({503, {}}) == Unavailable);
  CHECK(kind({429, {}}) == Unavailable);
  CHECK(kind({304, {}}) == Unsupported);
  CHECK(kind({418, {}}) == Unsupported);
}

TEST_CASE("bytes of another version never fit") {
  using enum Failure::Kind;
  const ByteRange asked{100, 200};
  const auto kind = [&](const OriginAnswer& answer) {
    const auto misfit = misfit_of(answer, kStored, asked);
    return misfit ? std::optional(misfit->kind) : std::nullopt;
  };
  CHECK(kind(part("bytes 100-199/1000")) == std::nullopt);
  CHECK(kind(part("bytes 100-150/1000")) == std::nullopt);
  CHECK(kind({206, {{"content-range", "bytes 100-199/1000"}}}) == std::nullopt);
  CHECK(kind(part("bytes 100-199/1000", "\"v2\"")) == Changed);
  CHECK(kind(part("bytes 100-199/1000", "W/\"v1\"")) == Changed);
  CHECK(kind(part("bytes 100-199/1001")) == Changed);
  CHECK(kind({206, {{"content-range", "bytes 100-199/1000"}, {"content-encoding", "gzip"}}}) ==
        Changed);
  CHECK(kind({412, {}}) == Changed);
  CHECK(kind({416, {}}) == Changed);
  CHECK(kind({200, {{"etag", "\"v2\""}}}) == Changed);
  CHECK(kind({200, {{"etag", "\"v1\""}}}) == Unavailable);
  CHECK(kind(part("bytes 99-199/1000")) == Unavailable);
  CHECK(kind(part("bytes 100-200/1000")) == Unavailable);
  CHECK(kind({503, {}}) == Unavailable);
  CHECK(kind({404, {}}) == NotFound);

  const OriginAnswer whole{200, {{"etag", "\"v1\""}, {"content-length", "1000"}}};
  CHECK_FALSE(misfit_of(whole, kStored, std::nullopt).has_value());
  const OriginAnswer shorter{200, {{"etag", "\"v1\""}, {"content-length", "999"}}};
  CHECK(misfit_of(shorter, kStored, std::nullopt)->kind == Changed);
}

TEST_CASE("only a file with a validator is gone on with, and only the same one") {
  const auto facts = [](const Headers& headers, std::uint64_t length = 1000) {
    return OriginFacts{length, true, headers};
  };
  CHECK(same_file(kStored, facts({{"etag", "\"v1\""}})));
  CHECK_FALSE(same_file(kStored, facts({{"etag", "\"v1\""}}, 999)));
  CHECK_FALSE(same_file(kStored, facts({{"etag", "\"v2\""}})));
  CHECK_FALSE(same_file(kStored, facts({})));
  const Manifest without{"http://origin/file", {1000, 100}, {{"etag", "W/\"v1\""}}, 1};
  CHECK_FALSE(same_file(without, facts({{"etag", "W/\"v1\""}})));
  CHECK(version_of(kStored.headers) == "\"v1\"");
  CHECK(version_of({{"last-modified", "Thu, 01 Jan 2026"}}) == "Thu, 01 Jan 2026");
  CHECK(version_of(without.headers).empty());
}

}  // namespace perch::peer
