// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mistake.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {
namespace {

constexpr std::string_view kConfig = R"([listeners.api]
path = "{0}/api.sock"
[workers.app]
command = ["sleep", "60"]
listeners = ["api"]
)";

// Descriptor 9 is perch: nobody may not be allowed to enter the directory it was built in.
constexpr std::string_view kPrelude = R"(
trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT
add() { printf '%s\n' "$1" >> perch.toml; }
add_to_listener() { sed -i "/^path/a $1" perch.toml; }
as() { setpriv --reuid="$1" --regid=nogroup --clear-groups -- /proc/self/fd/9 "${@:3}" 9< "$PERCH_BINARY"; }
as_nobody() { as nobody "$@"; }
export -f as as_nobody
# A perch in the background, once it is ready.
start() { perch run "$@" 2> /dev/null & until perch ready &> /dev/null; do sleep 0.01; done; }
# Somebody else who listens at a path.
listen() {
  /usr/bin/python3 -c 'if 1:
    import socket, sys
    listener = socket.socket(socket.AF_UNIX if "/" in sys.argv[1] else socket.AF_INET)
    listener.bind(sys.argv[1] if "/" in sys.argv[1] else ("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True) # the port; of a path, a letter
    while True:
        client = listener.accept()[0]
        client.send(b"hello\n")
        client.close()' "$1" > listens &
  until [[ -s listens ]]; do sleep 0.01; done
}
# A file system of its own at ./m for a command.
mounted() { mkdir m && unshare --mount sh -c 'mount -t tmpfs -o "$0" none m && "$@"' "$@"; }
)";

// What a line says: perch's log is JSON where stderr is no terminal.
std::string text_of(const std::string& line) {
  const auto entry = nlohmann::json::parse(line, nullptr, false);
  return entry.is_object() ? entry.value("message", "") : line;
}

bool answers(const std::string& line, const Mistake& mistake) {
  const std::string text = text_of(line);
  return text.contains(mistake.object) && text.contains(mistake.reason) &&
         text.contains(mistake.remedy);
}

Finished make(const Mistake& mistake) {
  const TemporaryDirectory directory;
  ::chmod(directory.path().c_str(), 0755);
  write_text(directory.path("perch.toml"), fmt::format(fmt::runtime(kConfig), directory.path()));
  const std::string perch = from_build("PERCH_BINARY");
  const std::string place = perch.substr(0, perch.rfind('/'));
  return run({.argv = {"/bin/bash", "-c",
                       fmt::format("cd {}\nPATH={}:$PATH{}{}", directory.path(), place, kPrelude,
                                   mistake.typed)},
              .environment = {"PERCH_CONTROL=" + directory.path("control.sock")}});
}

}  // namespace

void check(const Mistake& mistake) {
  CAPTURE(mistake.what);
  const Finished finished = make(mistake);
  CAPTURE(finished.err);
  CHECK(finished.ending == exited(mistake.code));
  std::istringstream said(finished.err);
  std::vector<std::string> lines;
  for (std::string line; std::getline(said, line);) lines.push_back(line);
  CHECK(std::ranges::count_if(lines, [&](auto& line) { return answers(line, mistake); }) == 1);
}

}  // namespace perch::test
