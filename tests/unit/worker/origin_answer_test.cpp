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
}

TEST_CASE("what cannot be downloaded is refused with its kind") {
  const auto kind = [](const OriginAnswer& answer) { return facts_of(answer).error().kind; };
  CHECK(kind({200, {}}) == RefusalKind::Unsupported);
  CHECK(kind({206, {{"content-range", "bytes 1-1/77"}}}) == RefusalKind::Unsupported);
  CHECK(kind({404, {}}) == RefusalKind::NotFound);
  CHECK(kind({403, {}}) == RefusalKind::Denied);
  CHECK(kind({503, {}}) == RefusalKind::Unavailable);
  CHECK(kind({429, {}}) == RefusalKind::Unavailable);
  CHECK(kind({418, {}}) == RefusalKind::Unsupported);
}

TEST_CASE("bytes of another version never fit") {
  const ByteRange asked{100, 200};
  CHECK(fit_of(part("bytes 100-199/1000"), kStored, asked) == Fit::Good);
  CHECK(fit_of(part("bytes 100-199/1000", "\"v2\""), kStored, asked) == Fit::Changed);
  CHECK(fit_of(part("bytes 100-199/1001"), kStored, asked) == Fit::Changed);
  CHECK(fit_of({416, {}}, kStored, asked) == Fit::Changed);
  CHECK(fit_of(part("bytes 100-198/1000"), kStored, asked) == Fit::Refused);
  CHECK(fit_of({200, {{"etag", "\"v1\""}}}, kStored, asked) == Fit::Refused);
  CHECK(fit_of({503, {}}, kStored, asked) == Fit::Refused);

  const OriginAnswer whole{200, {{"etag", "\"v1\""}, {"content-length", "1000"}}};
  CHECK(fit_of(whole, kStored, std::nullopt) == Fit::Good);
  const OriginAnswer shorter{200, {{"etag", "\"v1\""}, {"content-length", "999"}}};
  CHECK(fit_of(shorter, kStored, std::nullopt) == Fit::Changed);
}

}  // namespace perch::peer
