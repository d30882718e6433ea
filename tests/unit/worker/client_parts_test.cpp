// SPDX-License-Identifier: Apache-2.0
// What the client decides without anybody else: names, ranges, pieces, times, rows.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "worker/peer/client/output_name.h"
#include "worker/peer/client/pieces.h"
#include "worker/peer/client/progress_text.h"
#include "worker/peer/client/retry.h"
#include "worker/peer/client/speed.h"
#include "worker/peer/client/task_view.h"
#include "worker/peer/client/wish.h"

namespace perch::peer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1U << 20U;

// The name, or the refusal.
std::string name_of(const std::string& url) {
  const auto name = output_name(url);
  return name ? *name : "! " + name.error().text();
}

Wish wish_of(const GetOptions& options) {
  auto wish = read_wish(options);
  REQUIRE_MESSAGE(wish.has_value(), wish.error().text());
  return std::move(*wish);
}

std::string refusal_of(const GetOptions& options) {
  const auto wish = read_wish(options);
  return wish ? "" : wish.error().text();
}

Offer offer_of_three(const std::string& version) {
  return {.version = version, .length = 25, .pieces = {{0, {0, 10}}, {1, {10, 20}}, {2, {20, 25}}}};
}

TaskView a_task() {
  const WallTime then{seconds(1'000'000'000)};
  return {.id = "0123456789abcdef" + std::string(48, '0'),
          .url = "http://origin/file\x1b[2J",
          .length = 10 * kMiB,
          .piece_length = 4 * kMiB,
          .pieces = 3,
          .pieces_done = 2,
          .created = then,
          .updated = then + seconds(5)};
}

}  // namespace

TEST_CASE("a file is called as its URL's last segment says") {
  CHECK(name_of("http://host/a/file.tar.gz") == "file.tar.gz");
  CHECK(name_of("http://host/file?download=a/b#top/c") == "file");
  CHECK(name_of("https://host/my%20file+1") == "my file+1");
  CHECK(name_of("https://host/100%") == "100%");
}

TEST_CASE("a URL cannot choose a file's name that is more than a name") {
  for (const char* const url :
       {"http://host", "http://host/", "http://host/directory/", "no-url", "http://host?a=/b"}) {
    CHECK(name_of(url) == "! the URL names no file: say -O FILE");
  }
  for (const std::string segment :
       {"..", ".", "%2e%2e", "..%2fetc%2fpasswd", "%2Fetc%2Fpasswd", ".bashrc", "-rf", "-", "a%00b",
        "a%0Ab", "a%1b%5B2J", "a%c2%9b2J"}) {
    CAPTURE(segment);
    CHECK(name_of("http://host/" + segment).starts_with("! '"));
  }
  CHECK(name_of("http://host/" + std::string(256, 'a')).starts_with("! '"));
}

TEST_CASE("a call is made again after what passes, and after nothing else") {
  CHECK(verdict_of(grpc::OK) == ExitCode::Done);
  for (const auto code : {grpc::UNAVAILABLE, grpc::ABORTED, grpc::RESOURCE_EXHAUSTED}) {
    CHECK_FALSE(verdict_of(code).has_value());
  }
  CHECK(verdict_of(grpc::DEADLINE_EXCEEDED) == ExitCode::TimedOut);
  CHECK(verdict_of(grpc::DATA_LOSS) == ExitCode::WrongDigest);
  for (const auto code : {grpc::NOT_FOUND, grpc::PERMISSION_DENIED, grpc::INTERNAL,
                          grpc::INVALID_ARGUMENT, grpc::UNIMPLEMENTED, grpc::ALREADY_EXISTS}) {
    CHECK(verdict_of(code) == ExitCode::Refused);
  }
}

TEST_CASE("the delay between calls doubles up to two seconds, and is never all of it nor nothing") {
  Backoff backoff;
  CHECK(backoff.next(0) == milliseconds(50));
  CHECK(backoff.next(0.5) == milliseconds(150));
  for (int i = 0; i < 10; ++i) (void)backoff.next(0);
  CHECK(backoff.next(0) == milliseconds(1000));
  CHECK(backoff.next(0.999) < milliseconds(2000));
  backoff.reset();
  CHECK(backoff.next(0) == milliseconds(50));
}

TEST_CASE("speed is what came in the last seconds") {
  const Speed::Time start{};
  Speed speed(start);
  CHECK(speed.at(start) == 0);
  for (int second = 1; second <= 20; ++second) {
    speed.add(start + seconds(second), static_cast<std::uint64_t>(second) * kMiB);
  }
  CHECK(speed.at(start + seconds(20)) == doctest::Approx(kMiB));
  // A stall shows, and what was forgotten does not count as growth.
  CHECK(speed.at(start + seconds(100)) < 0.2 * kMiB);
  speed.add(start + seconds(101), kMiB);
  CHECK(speed.at(start + seconds(102)) == 0);
}

TEST_CASE("the time that is left is told in the largest units that matter") {
  CHECK(time_left({.received = 0, .length = 10 * kMiB, .speed = 4.0 * kMiB}) == "3s");
  CHECK(time_left({.received = 0, .length = 600 * kMiB, .speed = 4.0 * kMiB}) == "2m30s");
  CHECK(time_left({.received = 5, .length = 5, .speed = 0}) == "0s");
  CHECK(time_left({.received = 0, .length = 5, .speed = 0}) == "?");
}

TEST_CASE("a bar fits the terminal, whatever its width") {
  const ProgressView view{.received = 3 * kMiB, .length = 4 * kMiB, .speed = 1.0 * kMiB};
  CHECK(progress_line(view) == " 75 %  3.0 MiB of 4.0 MiB  1.0 MiB/s  1s left");
  CHECK(progress_bar(view, 80) ==
        "[" + std::string(24, '=') + std::string(8, ' ') + "] " + progress_line(view));
  for (std::size_t columns = 0; columns < 200; ++columns) {
    CHECK(progress_bar(view, columns).size() <= columns);
  }
  CHECK(progress_line({.received = 4 * kMiB - 1, .length = 4 * kMiB}).starts_with(" 99 %"));
  CHECK(progress_line({.received = 0, .length = 0}).starts_with("100 %"));
}

TEST_CASE("pieces count once, and only as long as they are of one version") {
  Pieces pieces(std::nullopt);
  CHECK_FALSE(pieces.complete());
  CHECK(pieces.expect(offer_of_three("a")) == Fit::Begins);
  pieces.add(0);
  pieces.add(0);
  pieces.add(7);
  CHECK(pieces.received() == 10);
  CHECK(pieces.expect(offer_of_three("a")) == Fit::GoesOn);
  pieces.add(1);
  pieces.add(2);
  CHECK(pieces.complete());

  SUBCASE("another version") { CHECK(pieces.expect(offer_of_three("b")) == Fit::Begins); }
  SUBCASE("another length") {
    Offer offer = offer_of_three("a");
    offer.length = 24;
    offer.pieces.at(2).end = 24;
    CHECK(pieces.expect(offer) == Fit::Begins);
  }
  SUBCASE("no version at all") {
    CHECK(pieces.expect(offer_of_three("")) == Fit::Begins);
    pieces.add(0);
    CHECK_FALSE(pieces.missing());
    CHECK(pieces.expect(offer_of_three("")) == Fit::Begins);
  }
  CHECK(pieces.received() == 0);
}

TEST_CASE("what is missing is asked for alone, as long as it is of the version that has come") {
  Pieces pieces(std::nullopt);
  CHECK_FALSE(pieces.missing());
  CHECK(pieces.expect(offer_of_three("a")) == Fit::Begins);
  CHECK_FALSE(pieces.missing());  // all of it
  pieces.add(0);
  CHECK(pieces.missing() == ByteRange{10, 25});
  Offer rest = offer_of_three("a");
  rest.pieces.erase(0);
  CHECK(pieces.expect(rest) == Fit::GoesOn);
  pieces.add(2);
  CHECK(pieces.missing() == ByteRange{10, 20});

  SUBCASE("the rest is of another version") {
    rest.version = "b";
    CHECK(pieces.expect(rest) == Fit::Useless);
    CHECK_FALSE(pieces.missing());
    CHECK_FALSE(pieces.complete());
    CHECK(pieces.received() == 0);
  }
  SUBCASE("the rest comes") {
    pieces.add(1);
    CHECK_FALSE(pieces.missing());
    CHECK(pieces.complete());
  }
}

TEST_CASE("of a range, only what lies in it is wanted") {
  Pieces pieces(ByteRange{5, 15});
  pieces.expect(offer_of_three("a"));
  CHECK(pieces.wanted() == ByteRange{5, 15});
  CHECK(pieces.wanted_of({0, 10}) == ByteRange{5, 10});
  CHECK(pieces.wanted_of({20, 25}).size() == 0);
  pieces.add(0);
  pieces.add(1);
  CHECK(pieces.complete());

  Pieces beyond(ByteRange{20, 100});
  beyond.expect(offer_of_three("a"));
  CHECK(beyond.wanted() == ByteRange{20, 25});
}

TEST_CASE("the request says what the user said") {
  const Wish wish = wish_of({.url = "http://host/file",
                             .digest = "sha256:" + std::string(64, 'a'),
                             .tag = "t",
                             .headers = {"Authorization: Bearer a:b", "X:1"}});
  CHECK(wish.output == "file");
  CHECK(wish.digest.has_value());
  CHECK(wish.download.need_piece_content());
  CHECK(wish.download.tag() == "t");
  CHECK(wish.download.request_header().at("Authorization") == "Bearer a:b");
  CHECK(wish.download.request_header().at("X") == "1");
  CHECK_FALSE(wish.download.has_output_path());
}

TEST_CASE("a range is asked for as its first byte and a length") {
  const Wish wish = wish_of({.url = "http://host/file", .range = "100-199"});
  CHECK(wish.download.range().start() == 100);
  CHECK(wish.download.range().length() == 100);
  CHECK(wish.range == ByteRange{100, 200});
}

TEST_CASE("the peer is told an absolute path where it writes the file") {
  GetOptions options{.url = "http://host/file", .force = true, .output_by_peer = true};
  const Wish wish = wish_of(options);
  CHECK(wish.download.output_path().starts_with("/"));
  CHECK(wish.download.output_path().ends_with("/file"));
  CHECK(wish.download.overwrite());
  CHECK_FALSE(wish.download.need_piece_content());
  options.output = "-";
  CHECK(refusal_of(options) == "--output-by-peer writes a file, not stdout");
}

TEST_CASE("words that make no sense are refused with the reason") {
  const GetOptions good{.url = "http://host/file"};
  for (const char* const range :
       {"5", "-5", "5-", "5-4", "a-b", "0-18446744073709551615", "1-2x"}) {
    GetOptions options = good;
    options.range = range;
    CHECK(refusal_of(options) == fmt::format("--range '{}' is not FIRST-LAST, as in 0-499", range));
  }
  GetOptions options = good;
  options.headers = {"no colon"};
  CHECK(refusal_of(options) == "--header 'no colon' is not NAME: VALUE");
  options = good;
  options.headers = {"X: " + std::string(64U << 10U, 'x')};
  CHECK(refusal_of(options).contains("longer together than the 63 KiB"));
  options = good;
  options.digest = "sha256:" + std::string(64, 'a');
  options.range = "0-1";
  CHECK(refusal_of(options) == "--digest is of the whole file, not of a --range");
}

TEST_CASE("tasks are rows on a terminal, lines in a pipe, and whole in JSON") {
  auto task = a_task();
  const WallTime now{seconds(1'000'000'065)};
  CHECK(task_table({task}, 80, now) ==
        "TASK               SIZE   DONE     AGE  URL\n"
        "0123456789ab   10.0 MiB   66 %   1m00s  http://origin/file\\x1b[2J\n");
  CHECK(task_table({task}, 20, now) == "TASK               S\n0123456789ab   10.0 \n");
  CHECK(task_lines({task}) == task.id + "\tpartial\t10485760\thttp://origin/file\\x1b[2J\n");
  CHECK(task_page(task).find("pieces    2 of 3, 4.0 MiB each\n") != std::string::npos);

  const auto document = nlohmann::json::parse(tasks_json({task}));
  CHECK(document.at(0).at("state") == "partial");
  CHECK(document.at(0).at("created_at") == "2001-09-09T01:46:40.000Z");
  CHECK(document.at(0).at("finished_at").is_null());
  CHECK(nlohmann::json::parse(task_json(task)) == document.at(0));

  // While a download is at work on it, the peer does not count.
  task.pieces_done.reset();
  CHECK(task_lines({task}).contains("\trunning\t"));
  CHECK(task_table({task}, 80, now).contains("      -   1m00s"));
  CHECK(task_page(task).contains("pieces    3, 4.0 MiB each\n"));
  CHECK(nlohmann::json::parse(task_json(task)).at("pieces_done").is_null());
}

}  // namespace perch::peer
