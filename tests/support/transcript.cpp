// SPDX-License-Identifier: Apache-2.0
#include "tests/support/transcript.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iostream>

#include "tests/support/silent_reporter.h"

namespace perch::test {
namespace {

constexpr std::size_t kKeptBytes = 8192;

// doctest makes its listeners itself, so what they share with the tests has to live here.
std::string& transcript() {
  static std::string text;
  return text;
}

struct TranscriptPrinter : SilentReporter {
  explicit TranscriptPrinter(const doctest::ContextOptions& /*options*/) {}

  void test_case_start(const doctest::TestCaseData& /*test*/) override { transcript().clear(); }
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    if (stats.failure_flags != 0) std::cerr << transcript() << std::flush;
    transcript().clear();
  }
};

REGISTER_LISTENER("transcript", 1, TranscriptPrinter);

}  // namespace

void add_to_transcript(const std::string& title, std::string_view output) {
  if (output.empty()) return;
  output.remove_prefix(output.size() - std::min(output.size(), kKeptBytes));
  transcript().append("---- ").append(title).append("\n").append(output).append("\n");
}

}  // namespace perch::test
