// SPDX-License-Identifier: Apache-2.0
#include "supervisor/line_shaper.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sstream>
#include <string>
#include <vector>

namespace perch {
namespace {

using config::CaptureFormat;
using namespace std::chrono_literals;

const LineShaper::Time kStart = LineShaper::Time(std::chrono::seconds(1'767'225'600)) + 7ms;

// A shaper, and all that came out of it.
struct Shaped {
  explicit Shaped(CaptureFormat format, unsigned rate = 0)
      : shaper({"app", 3, "stderr"}, {format, rate}) {}

  void say(std::string_view bytes) {
    while (!bytes.empty()) shaper.take(bytes, now, out);
  }
  void finish() { shaper.finish(now, out); }
  [[nodiscard]] std::vector<nlohmann::json> documents() const {
    std::istringstream lines(out);
    std::vector<nlohmann::json> documents;
    for (std::string line; std::getline(lines, line);) {
      documents.push_back(nlohmann::json::parse(line));
    }
    return documents;
  }

  LineShaper shaper;
  LineShaper::Time now = kStart;
  std::string out;
};

std::string numbered(int first, int last) {
  std::string text;
  for (int i = first; i <= last; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

}  // namespace

TEST_CASE("raw output is what it was, byte for byte") {
  Shaped shaped(CaptureFormat::Raw);
  const std::string bytes("part, \0\xff\n\nand no end", 20);
  for (const char byte : bytes) shaped.say({&byte, 1});
  shaped.finish();
  CHECK(shaped.out == bytes);
}

TEST_CASE("prefixed lines say whose they are, and come whole") {
  Shaped shaped(CaptureFormat::Prefix);
  shaped.say("one\ntwo is ");
  CHECK(shaped.out == "app: one\n");
  shaped.say("in parts\n\nlast, without an end");
  CHECK(shaped.out == "app: one\napp: two is in parts\napp: \n");
  shaped.finish();
  shaped.finish();
  CHECK(shaped.out == "app: one\napp: two is in parts\napp: \napp: last, without an end\n");
}

TEST_CASE("a JSON line has time, worker, generation, stream and message") {
  Shaped shaped(CaptureFormat::Json);
  shaped.say("started\n");
  CHECK(shaped.out ==
        R"({"time":"2026-01-01T00:00:00.007Z","worker":"app","generation":3,"stream":"stderr",)"
        R"("message":"started"})"
        "\n");
}

TEST_CASE("a JSON line is valid whatever the bytes, and JSON in it stays text") {
  Shaped shaped(CaptureFormat::Json);
  const std::vector<std::string> lines{R"({"level":"info","worker":"another"})", "\"}{\\",
                                       "\xff\xfe \xe2\x82", std::string("\0\x1b[2J\t", 6), "\r"};
  for (const std::string& line : lines) shaped.say(line + "\n");
  const auto documents = shaped.documents();
  REQUIRE(documents.size() == lines.size());
  for (const auto& document : documents) {
    CHECK(document.at("worker") == "app");
    CHECK(document.at("message").is_string());
  }
  CHECK(documents[0].at("message") == lines[0]);
  CHECK(documents[3].at("message") == lines[3]);
}

TEST_CASE("a line that is too long is cut, and says so") {
  const std::string longest(LineShaper::kLongestLine, 'x');
  Shaped prefix(CaptureFormat::Prefix);
  prefix.say(longest + "\n");
  CHECK(prefix.out == "app: " + longest + "\n");
  prefix.out.clear();
  prefix.say(longest + "yy");
  prefix.say("yyy\nnext\n");
  CHECK(prefix.out == "app: " + longest + " [5 more bytes cut]\napp: next\n");

  Shaped json(CaptureFormat::Json);
  json.say(longest + "yyyyy\nnext\n");
  const auto documents = json.documents();
  REQUIRE(documents.size() == 2);
  CHECK(documents[0].at("message") == longest);
  CHECK(documents[0].at("cut_bytes") == 5);
  CHECK_FALSE(documents[1].contains("cut_bytes"));
}

TEST_CASE("no record is longer than it may be") {
  for (const char byte : {'\0', '\xff', '"'}) {
    Shaped shaped(CaptureFormat::Json);
    shaped.say(std::string(2 * LineShaper::kLongestLine, byte) + "\n");
    CHECK(shaped.out.size() <= LineShaper::kLongestRecord);
  }
}

TEST_CASE("what is above the rate is dropped and counted, until the next second") {
  for (const auto format : {CaptureFormat::Raw, CaptureFormat::Prefix}) {
    Shaped shaped(format, 3);
    const std::string prefix = format == CaptureFormat::Raw ? "" : "app: ";
    shaped.say(numbered(1, 10));
    shaped.now += 999ms;
    shaped.say(numbered(11, 20));
    CHECK(shaped.out == prefix + "line 1\n" + prefix + "line 2\n" + prefix + "line 3\n");
    CHECK(shaped.shaper.dropped() == 17);
    shaped.out.clear();
    shaped.now += 1ms;
    shaped.say("line 21\n");
    CHECK(shaped.out == prefix + "line 21\n");
  }
}

TEST_CASE("raw lines that come in parts pass or are dropped as a whole") {
  Shaped shaped(CaptureFormat::Raw, 1);
  for (const char* part : {"pas", "ses", "\ndro", "pped", " to its end\n"}) shaped.say(part);
  CHECK(shaped.out == "passes\n");
  CHECK(shaped.shaper.dropped() == 1);
}

TEST_CASE("a clock that is set back drops nothing more than a second's lines") {
  Shaped shaped(CaptureFormat::Raw, 1);
  shaped.say("one\n");
  shaped.now -= 1h;
  shaped.say("two\n");
  CHECK(shaped.out == "one\ntwo\n");
}

TEST_CASE("settings change between lines and within one, and nothing is lost") {
  Shaped shaped(CaptureFormat::Prefix);
  shaped.say("one\nbegun ");
  shaped.shaper.set({CaptureFormat::Raw, 0});
  shaped.say("and ended\nraw\n");
  CHECK(shaped.out == "app: one\nbegun and ended\nraw\n");
  shaped.out.clear();
  shaped.shaper.set({CaptureFormat::Raw, 1});
  shaped.say("passes\ndropped, ");
  shaped.shaper.set({CaptureFormat::Raw, 0});
  shaped.say("but no more\n");
  CHECK(shaped.out == "passes\nbut no more\n");
  shaped.out.clear();
  shaped.shaper.set({CaptureFormat::Prefix, 0});
  shaped.say("begun");
  shaped.shaper.set({CaptureFormat::Raw, 0});
  shaped.finish();
  CHECK(shaped.out == "begun");
}

}  // namespace perch
