// SPDX-License-Identifier: Apache-2.0
#include "common/posix/notify_message.h"

#include <doctest/doctest.h>

namespace perch {

TEST_CASE("a message is read line by line, the last assignment of a key counts") {
  const auto message = NotifyMessage::parse("READY=1\nSTATUS=a=b\nnonsense\n=x\nREADY=0");
  CHECK(message.get("READY") == "0");
  CHECK(message.get("STATUS") == "a=b");
  CHECK_FALSE(message.get("nonsense").has_value());
}

TEST_CASE("a message of thousands of lines is cut, not refused") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "K" + std::to_string(i) + "=v\n";
  const auto message = NotifyMessage::parse(text);
  CHECK(message.get("K63") == "v");
  CHECK_FALSE(message.get("K64").has_value());
}

TEST_CASE("a newline in a value cannot make a second assignment") {
  const NotifyMessage message{{"STATUS", "one\nREADY=1"}};
  CHECK(message.text() == "STATUS=one READY=1\n");
}

TEST_CASE("names are split and joined as LISTEN_FDNAMES has them") {
  CHECK(split_names("").empty());
  CHECK(split_names("api:admin") == std::vector<std::string>{"api", "admin"});
  CHECK(join_names({"api", "admin"}) == "api:admin");
}

}  // namespace perch
