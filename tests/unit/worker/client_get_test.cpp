// SPDX-License-Identifier: Apache-2.0
// perch-peer get, the real one, against a real peer: what it leaves behind, whatever happens.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "common/posix/file.h"
#include "tests/support/pseudo_terminal.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/peer_world.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

std::string sha256_at_origin(const PeerWorld& world, const std::string& url) {
  const std::string file = world.path("expected");
  REQUIRE(run({.argv = {"curl", "-sS", "-o", file, url}}).ending == exited(0));
  return sha256_of(file);
}

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

// A command as somebody in `directory` gives it, by the words of a shell.
Command in_directory(const std::string& directory, const std::vector<std::string>& argv,
                     const std::string& before = "") {
  Command command{
      .argv = {"sh", "-c", "cd \"$1\" && shift && " + before + " exec \"$@\"", "sh", directory}};
  command.argv.insert(command.argv.end(), argv.begin(), argv.end());
  return command;
}

// An origin, a peer, and a directory where files are saved.
struct Scene {
  explicit Scene(const std::vector<std::string>& origin_arguments = {}) : origin(origin_arguments) {
    fs::create_directory(here);
  }
  [[nodiscard]] std::string in_here(const std::string& name) const { return here + "/" + name; }
  [[nodiscard]] Command get(const std::string& url,
                            const std::vector<std::string>& more = {}) const {
    std::vector<std::string> argv{from_build("PERCH_PEER"), "get", url};
    argv.insert(argv.end(), more.begin(), more.end());
    Command command = in_directory(here, argv);
    command.environment = {"PERCH_PEER_SOCKET=" + world.socket()};
    return command;
  }

  OriginServer origin;
  PeerWorld world;
  std::string here = world.path("here");
};

// A file system of its own, of one MiB.
class SmallDisk {
 public:
  explicit SmallDisk(std::string path) : path_(std::move(path)) {
    fs::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool mounted() const noexcept { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

}  // namespace

TEST_CASE("the file is called as the URL says, has the umask's mode, and nothing else is left") {
  const Scene scene;
  const auto peer = scene.world.start_peer();
  const std::string url = scene.origin.url("/data?size=9000000");
  const auto got = run(scene.get(url));
  CHECK_MESSAGE(got.ending == exited(0), got.err);
  CHECK(got.out.empty());
  CHECK(got.err.starts_with("data: 8.6 MiB in "));
  CHECK(names_in(scene.here) == std::set<std::string>{"data"});
  CHECK(sha256_of(scene.in_here("data")) == sha256_at_origin(scene.world, url));
  struct stat written{};
  REQUIRE(::stat(scene.in_here("data").c_str(), &written) == 0);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  CHECK((written.st_mode & 07777U) == (0666U & ~mask));

  CHECK(run(scene.get(url, {"-q", "-O", "other"})).err.empty());
}

TEST_CASE("a file that exists is kept, unless it is to be replaced") {
  const Scene scene;
  const auto peer = scene.world.start_peer();
  const std::string url = scene.origin.url("/data?size=1000");
  write_text(scene.in_here("data"), "mine");
  const auto kept = run(scene.get(url));
  CHECK(kept.ending == exited(1));
  CHECK(kept.err.ends_with("data: exists: --force replaces it\n"));
  CHECK(read_file(scene.in_here("data")).value() == "mine");
  CHECK(run(scene.get(url, {"--force"})).ending == exited(0));
  CHECK(fs::file_size(scene.in_here("data")) == 1000);
  CHECK(names_in(scene.here) == std::set<std::string>{"data"});
}

TEST_CASE("what is no regular file is never replaced, and a symlink is not followed") {
  const Scene scene;
  const auto peer = scene.world.start_peer();
  const std::string url = scene.origin.url("/data?size=1000");
  fs::create_directory(scene.in_here("directory"));
  REQUIRE(::mkfifo(scene.in_here("fifo").c_str(), 0600) == 0);
  write_text(scene.in_here("target"), "mine");
  fs::create_symlink("target", scene.in_here("link"));
  fs::create_symlink("nowhere", scene.in_here("dangling"));
  for (const std::string output : {"directory", "fifo", "/dev/null", "link", "dangling", "here/"}) {
    CAPTURE(output);
    CHECK(run(scene.get(url, {"-O", output})).ending == exited(1));
  }
  for (const std::string output : {"directory", "fifo", "/dev/null"}) {
    CAPTURE(output);
    CHECK(run(scene.get(url, {"-O", output, "--force"})).ending == exited(1));
  }
  CHECK(run(scene.get(url, {"-O", "link", "--force"})).ending == exited(0));
  CHECK_FALSE(fs::is_symlink(scene.in_here("link")));
  CHECK(read_file(scene.in_here("target")).value() == "mine");
  CHECK(names_in(scene.here) ==
        std::set<std::string>{"directory", "fifo", "target", "link", "dangling"});
}

TEST_CASE("stdout gets the file once it is whole and right, and else nothing") {
  const Scene scene;
  const auto peer = scene.world.start_peer();
  const std::string url = scene.origin.url("/data?size=900000");
  const std::string digest = sha256_at_origin(scene.world, url);
  const auto got = run(scene.get(url, {"-O", "-", "--digest", digest}));
  CHECK(got.ending == exited(0));
  CHECK(got.out.size() == 900000);
  write_text(scene.world.path("out"), got.out);
  CHECK(sha256_of(scene.world.path("out")) == digest);

  const auto wrong = run(scene.get(url, {"-O", "-", "--digest", "sha256:" + std::string(64, '0')}));
  CHECK(wrong.ending == exited(5));
  CHECK(wrong.out.empty());
  CHECK(names_in(scene.here).empty());
}

TEST_CASE("a client whose peer is killed goes on with the next, from the pieces it has") {
  const Scene scene({"--rate", "40000000"});
  auto peer = scene.world.start_peer();
  const std::string url = scene.origin.url("/data?size=48000000");
  Process client(scene.get(url));
  for (const std::uint64_t pieces : {2U, 5U}) {
    REQUIRE(wait_until([&] { return scene.world.stored_pieces() >= pieces; }));
    peer->kill();
    CHECK_FALSE(fs::exists(scene.in_here("data")));
    peer = scene.world.start_peer();
  }
  CHECK(client.wait() == exited(0));
  CHECK(client.err().find("asking again: ") != std::string::npos);
  CHECK(sha256_of(scene.in_here("data")) == sha256_at_origin(scene.world, url));
  CHECK(names_in(scene.here) == std::set<std::string>{"data"});
}

TEST_CASE("an interrupted client ends by the signal and leaves nothing behind") {
  const Scene scene({"--rate", "4000000"});
  const auto peer = scene.world.start_peer();
  int number = SIGINT;
  SUBCASE("SIGINT") { number = SIGINT; }
  SUBCASE("SIGTERM") { number = SIGTERM; }
  SUBCASE("SIGHUP") { number = SIGHUP; }
  write_text(scene.in_here("data"), "mine");
  Process client(scene.get(scene.origin.url("/data?size=40000000"), {"--force"}));
  REQUIRE(wait_until([&] { return scene.world.stored_pieces() >= 1; }));
  client.signal(number);
  CHECK(client.wait() == killed_by(number));
  CHECK(names_in(scene.here) == std::set<std::string>{"data"});
  CHECK(read_file(scene.in_here("data")).value() == "mine");
}

TEST_CASE("a client without a peer tells so, and can be interrupted") {
  const Scene scene;
  Process client(scene.get(scene.origin.url("/data?size=10")));
  CHECK(wait_until([&] { return client.err().starts_with("waiting for a peer at "); }));
  client.signal(SIGINT);
  CHECK(client.wait() == killed_by(SIGINT));
  CHECK(names_in(scene.here).empty());
}

TEST_CASE("signals that were ignored from the start stay ignored") {
  const Scene scene({"--rate", "8000000"});
  const auto peer = scene.world.start_peer();
  Command command = in_directory(
      scene.here, {from_build("PERCH_PEER"), "get", scene.origin.url("/data?size=16000000")},
      "trap '' HUP;");
  command.environment = {"PERCH_PEER_SOCKET=" + scene.world.socket()};
  Process client(command);
  REQUIRE(wait_until([&] { return scene.world.stored_pieces() >= 1; }));
  client.signal(SIGHUP);
  CHECK(client.wait() == exited(0));
}

TEST_CASE("a full disk is told before the download, and nothing is left on it") {
  if (!have(is_root(), "needs root: mount")) return;
  const Scene scene;
  const auto peer = scene.world.start_peer();
  const SmallDisk disk(scene.in_here("disk"));
  if (!have(disk.mounted(), "needs the right to mount a tmpfs")) return;
  const auto got = run(scene.get(scene.origin.url("/data?size=9000000"), {"-O", "disk/out"}));
  CHECK(got.ending == exited(1));
  CHECK(got.err.ends_with("write disk/out: No space left on device\n"));
  CHECK(names_in(scene.in_here("disk")).empty());
}

TEST_CASE("a file that may not become so large is told, and nothing is left of it") {
  const Scene scene;
  const auto peer = scene.world.start_peer();
  Command command = in_directory(
      scene.here, {from_build("PERCH_PEER"), "get", scene.origin.url("/data?size=9000000")},
      "ulimit -f 100;");
  command.environment = {"PERCH_PEER_SOCKET=" + scene.world.socket()};
  const auto got = run(command);
  CHECK(got.ending == exited(1));
  CHECK(got.err.ends_with("write data: File too large\n"));
  CHECK(names_in(scene.here).empty());
}

TEST_CASE("a reader that goes away ends the client, and nothing is left") {
  const Scene scene;
  const auto peer = scene.world.start_peer();
  Command command = scene.get(scene.origin.url("/data?size=9000000"), {"-O", "-"});
  command.argv = {"bash", "-c", "\"$@\" | head -c 1 | wc -c; echo ${PIPESTATUS[0]}", "bash", "env"};
  const Command plain = scene.get(scene.origin.url("/data?size=9000000"), {"-O", "-"});
  command.argv.insert(command.argv.end(), plain.argv.begin(), plain.argv.end());
  const auto got = run(command);
  CHECK(got.out == "1\n1\n");
  CHECK(got.err.ends_with("stdout: write: Broken pipe\n"));
}

TEST_CASE("a terminal shows a bar as wide as itself, which is gone at the end") {
  const Scene scene({"--rate", "20000000"});
  const auto peer = scene.world.start_peer();
  PseudoTerminal terminal(24, 60);
  Command command = scene.get(scene.origin.url("/data?size=24000000"));
  command.environment.emplace_back("TERM=xterm");
  command.fds = {{2, terminal.program_side()}};
  Process client(command);
  CHECK(wait_until([&] { return terminal.shown().find("MiB of 22.9 MiB") != std::string::npos; }));
  CHECK(client.wait() == exited(0));
  const std::string shown = terminal.shown();
  const std::string clear = "\r\x1b[K";
  CHECK(shown.rfind(clear) > shown.rfind(" left"));
  CHECK(shown.substr(shown.rfind(clear) + clear.size()).starts_with("data: 22.9 MiB in "));
  for (std::size_t at = shown.find(clear); at < shown.rfind(clear);) {
    const std::size_t next = shown.find(clear, at + 1);
    CHECK(next - at - clear.size() < 60);
    at = next;
  }
}

TEST_CASE("in a pipe there is no bar, and nothing that a terminal acts upon") {
  const Scene scene;
  const auto peer = scene.world.start_peer();
  const auto got = run(scene.get(scene.origin.url("/data?size=9000000")));
  CHECK(got.err.find('\r') == std::string::npos);
  CHECK(got.err.find('\x1b') == std::string::npos);
}

TEST_CASE("the peer writes the file itself, by hand or as a link, with the caller's rights") {
  const Scene scene;
  const auto peer = scene.world.start_peer();
  const std::string url = scene.origin.url("/data?size=9000000");
  CHECK(run(scene.get(url, {"--output-by-peer"})).ending == exited(0));
  CHECK(run(scene.get(url, {"--output-by-peer", "--hard-link", "-O", "link"})).ending == exited(0));
  CHECK(sha256_of(scene.in_here("data")) == sha256_at_origin(scene.world, url));
  CHECK(fs::hard_link_count(scene.in_here("link")) == 2);
  CHECK(run(scene.get(url, {"--output-by-peer"})).ending == exited(3));
  CHECK(run(scene.get(url, {"--output-by-peer", "--force"})).ending == exited(0));
  CHECK(names_in(scene.here) == std::set<std::string>{"data", "link"});
}

TEST_CASE("usage that makes no sense is refused with exit status 2 and a line") {
  const Scene scene;
  const std::string url = "http://127.0.0.1:1/file";
  using Words = std::vector<std::string>;
  for (const Words& words :
       {Words{"--range", "1"}, Words{"--digest", "sha1:0"}, Words{"--header", "x"},
        Words{"--timeout", "0"}, Words{"--hard-link"}, Words{"--unknown"}}) {
    CAPTURE(words.front());
    const auto refused = run(scene.get(url, words));
    CHECK(refused.ending == exited(2));
    CHECK(refused.err.starts_with("perch-peer"));
    CHECK(std::ranges::count(refused.err, '\n') == 1);
  }
  CHECK(run(scene.get("http://127.0.0.1:1/")).ending == exited(2));
  CHECK(names_in(scene.here).empty());
}

}  // namespace perch::test
