// SPDX-License-Identifier: Apache-2.0
#include "tests/daemons/results.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <iostream>
#include <vector>

#include "tests/support/silent_reporter.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {
namespace {

constexpr std::string_view kHead =
    R"(The main process of each daemon is killed by SIGKILL while 4 clients connect without pause, each
again as soon as it was answered or turned away. With perch it is then restarted, reloaded and
stopped as well. Alone means: the fastest loop that kills what is left, removes the socket file and
starts the daemon anew. Cut off are replies that died with the process that had accepted their
connection, and PostgreSQL's that it is still starting up. Linux {}.

| daemon | version | kills | connects | refused | no such file | inodes | cut off | reload | alone: kills | alone: refused | alone: no such file |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |
)";

// doctest makes its listeners itself, so what they share with the tests has to live here.
std::vector<Result>& results() {
  static std::vector<Result> all;
  return all;
}

std::string row_alone(const std::optional<Outcome>& alone) {
  if (!alone) return " | | |";
  return fmt::format(" {} | {} | {} |", alone->kills, alone->counts.refused, alone->counts.missing);
}

std::string row(const Result& result) {
  const StormCounts& seen = result.with_perch.counts;
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |{}\n", result.daemon,
                     result.version, result.with_perch.kills, seen.connects, seen.refused,
                     seen.missing, seen.inodes.size(), seen.lost, result.reload,
                     row_alone(result.alone));
}

std::string table() {
  utsname system{};
  ::uname(&system);
  std::string text = fmt::format(kHead, system.release);
  for (const Result& result : results()) text += row(result);
  return text;
}

struct ResultPrinter : SilentReporter {
  explicit ResultPrinter(const doctest::ContextOptions& /*options*/) {}

  void test_run_end(const doctest::TestRunStats& /*stats*/) override {
    if (results().empty()) return;
    std::cout << table() << std::flush;
    if (const char* path = std::getenv("PERCH_DAEMON_RESULTS")) write_text(path, table());
  }
};

REGISTER_LISTENER("daemon-results", 1, ResultPrinter);

}  // namespace

void add_result(const Result& result) { results().push_back(result); }

}  // namespace perch::test
