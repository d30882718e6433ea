// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/guardian.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <vector>

#include "common/posix/unix_socket.h"
#include "tests/support/requirement.h"
#include "tests/unit/listener/scene.h"

namespace perch::listener {
namespace {

namespace fs = std::filesystem;

// What the owner was told, in words: "healed removed", "lost", "succeeded".
class World : private Guardian::Owner {
 public:
  explicit World(ClaimRequest request = request_for("")) {
    request.path = path;
    listener = std::make_shared<Listener>(must_claim(request));
    inode = listener->inode();
    guardian.guard("api", listener);
    REQUIRE(guardian.report("api").guarded);
    REQUIRE(told.empty());
  }

  [[nodiscard]] bool turn_until(const std::function<bool()>& condition) {
    return wait_until([&] {
      loop.run_pending();
      return condition();
    });
  }
  [[nodiscard]] bool hears(const std::string& what) {
    return turn_until([&] { return std::ranges::find(told, what) != told.end(); });
  }
  // Nothing of what has happened until now is left to be done.
  void calm_down() {
    for (int turn = 0; turn < 20; ++turn) loop.run_pending();
  }
  [[nodiscard]] Guardian::Report report() const { return guardian.report("api"); }
  [[nodiscard]] std::uint64_t heals(HealKind kind) const {
    return report().heals.at(static_cast<std::size_t>(kind));
  }
  [[nodiscard]] bool is_ours() const {
    return inode_of(path) == listener->inode() && inode_of(spare) == listener->inode() &&
           try_connect(path) == 0;
  }
  [[nodiscard]] std::ptrdiff_t entries() const {
    return std::distance(fs::directory_iterator(directory), {});
  }

  Scene scene;
  std::string directory = scene / "run";
  bool made = fs::create_directory(directory);
  std::string path = directory + "/api.sock";
  std::string spare = directory + "/.api.sock.perch";
  Loop loop;
  std::shared_ptr<Listener> listener;
  ino_t inode = 0;
  std::vector<std::string> told;
  Guardian guardian{loop, *this};

 private:
  void on_healed(const std::string& /*name*/, HealKind kind, const std::string& /*how*/) override {
    told.push_back("healed " + std::string(listener::name(kind)));
  }
  void on_succeeded(const std::string& /*name*/, const Guardian::Shared& successor) override {
    told.emplace_back("succeeded");
    listener = successor;
  }
  void on_lost(const std::string& /*name*/, const std::string& why) override {
    told.emplace_back("lost");
    reasons.push_back(why);
  }
  void on_trouble(const std::string& /*name*/, const std::string& what) override {
    reasons.push_back(what);
  }
  void on_unguarded(const std::string& /*name*/, const std::string& why) override {
    reasons.push_back(why);
  }

 public:
  std::vector<std::string> reasons;
};

}  // namespace

TEST_CASE("a path that is removed, or moved away, is the same socket again") {
  World world;
  SUBCASE("removed") { REQUIRE(::unlink(world.path.c_str()) == 0); }
  SUBCASE("moved") { fs::rename(world.path, world.directory + "/mine"); }
  CHECK(world.hears("healed removed"));
  CHECK(world.is_ours());
  CHECK(world.listener->inode() == world.inode);
  world.calm_down();
  CHECK(world.heals(HealKind::Removed) == 1);
  CHECK(world.report().last_outage);
}

TEST_CASE("a dead socket that was moved over the path is exchanged, and gone") {
  World world;
  const std::string other = world.directory + "/other";
  leave_stale_socket(other);
  fs::rename(other, world.path);
  CHECK(world.hears("healed replaced"));
  CHECK(world.is_ours());
  CHECK(world.listener->inode() == world.inode);
  CHECK(world.entries() == 3);
}

TEST_CASE("what is no socket is moved aside and never deleted") {
  World world;
  const std::string other = world.directory + "/other";
  std::string aside = world.path + ".displaced-1";
  SUBCASE("a file") {
    write_text(other, "precious");
    fs::rename(other, world.path);
    CHECK(world.hears("healed displaced"));
    CHECK(read_text(aside) == "precious");
  }
  SUBCASE("a file, where another was moved aside before") {
    write_text(aside, "earlier");
    write_text(other, "precious");
    fs::rename(other, world.path);
    CHECK(world.hears("healed displaced"));
    CHECK(read_text(aside) == "earlier");
    CHECK(read_text(world.path + ".displaced-2") == "precious");
  }
  SUBCASE("a symbolic link") {
    fs::create_symlink("/etc/passwd", other);
    fs::rename(other, world.path);
    CHECK(world.hears("healed displaced"));
    CHECK(fs::read_symlink(aside) == "/etc/passwd");
  }
  SUBCASE("a directory") {
    fs::create_directory(other);
    REQUIRE(::unlink(world.path.c_str()) == 0);
    fs::rename(other, world.path);
    CHECK(world.hears("healed displaced"));
    CHECK(fs::is_directory(aside));
  }
  CHECK(world.is_ours());
  CHECK(world.listener->inode() == world.inode);
}

TEST_CASE("a live owner is never fought; when it ends the path is ours again") {
  World world;
  const std::string other = world.directory + "/other";
  UniqueFd owner = listen_socket(other);
  const ino_t its_inode = inode_of(other);
  fs::rename(other, world.path);
  CHECK(world.hears("lost"));
  CHECK(world.report().state == GuardState::Lost);
  world.calm_down();
  CHECK(inode_of(world.path) == its_inode);
  CHECK(try_connect(world.path) == 0);
  owner.reset();
  CHECK(world.hears("healed replaced"));
  CHECK(world.report().state == GuardState::Listening);
  CHECK(world.is_ours());
  CHECK(world.listener->inode() == world.inode);
}

TEST_CASE("the configured mode is set again, and a mode that is not configured may change") {
  ClaimRequest request = request_for("");
  SUBCASE("configured") {
    request.mode = 0660;
    World world(request);
    REQUIRE(::chmod(world.path.c_str(), 0) == 0);
    CHECK(world.hears("healed mode"));
    CHECK(world.listener->mode() == 0660);
    CHECK_FALSE(world.report().last_outage);
  }
  SUBCASE("not configured") {
    World world(request);
    REQUIRE(::chmod(world.path.c_str(), 0751) == 0);
    world.calm_down();
    CHECK(world.told.empty());
    CHECK(world.listener->mode() == 0751);
  }
  SUBCASE("what perch sets itself is no news") {
    request.mode = 0660;
    World world(request);
    REQUIRE(world.listener->set_mode(0600).has_value());
    world.calm_down();
    CHECK(world.told.empty());
    CHECK(world.listener->mode() == 0600);
  }
}

TEST_CASE("a spare link that is removed is made again") {
  World world;
  REQUIRE(::unlink(world.spare.c_str()) == 0);
  CHECK(world.hears("healed spare"));
  CHECK(world.is_ours());
  REQUIRE(::unlink(world.path.c_str()) == 0);
  CHECK(world.hears("healed removed"));
  CHECK(world.listener->inode() == world.inode);
}

TEST_CASE("without any name left it is a new socket, with the mode that the old one had") {
  World world;
  REQUIRE(::chmod(world.path.c_str(), 0640) == 0);
  const auto old = world.listener;
  REQUIRE(::unlink(world.path.c_str()) == 0);
  REQUIRE(::unlink(world.spare.c_str()) == 0);
  SUBCASE("the lock file is there") {}
  SUBCASE("the lock file is gone") {
    REQUIRE(::unlink((world.directory + "/.api.sock.lock").c_str()) == 0);
  }
  SUBCASE("a file took the path") { write_text(world.path, "precious"); }
  SUBCASE("a dead socket took the path") { leave_stale_socket(world.path); }
  CHECK(world.hears("healed rebound"));
  CHECK(world.hears("succeeded"));
  CHECK(world.is_ours());
  CHECK(world.listener != old);
  CHECK(world.listener->mode() == 0640);
  CHECK(contains(try_claim(request_for(world.path)), "owned: another perch"));
  REQUIRE(::unlink(world.path.c_str()) == 0);
  CHECK(world.hears("healed removed"));
}

TEST_CASE("a directory that is removed or replaced is waited for") {
  World world;
  SUBCASE("removed") { fs::remove_all(world.directory); }
  SUBCASE("moved away") { fs::rename(world.directory, world.scene / "elsewhere"); }
  CHECK(world.hears("lost"));
  CHECK(world.report().state == GuardState::Away);
  CHECK(contains(world.reasons.front(), "does not exist"));
  fs::create_directory(world.directory);
  CHECK(world.hears("healed rebound"));
  CHECK(world.report().state == GuardState::Listening);
  CHECK(world.is_ours());
}

TEST_CASE("a socket that somebody shuts down is claimed anew, its queue can still be accepted") {
  World world;
  const auto client = unix_connect(world.path, SOCK_STREAM, Blocking::No);
  REQUIRE(client.has_value());
  const auto old = world.listener;
  REQUIRE(::shutdown(old->fd(), SHUT_RDWR) == 0);
  CHECK(try_connect(world.path) == ECONNREFUSED);
  CHECK(world.hears("healed reclaimed"));
  CHECK(world.hears("succeeded"));
  CHECK(world.is_ours());
  CHECK(world.listener->inode() != world.inode);
  CHECK(UniqueFd(::accept4(old->fd(), nullptr, nullptr, SOCK_CLOEXEC)));
  world.calm_down();
  CHECK(world.entries() == 3);
  REQUIRE(::unlink(world.path.c_str()) == 0);
  CHECK(world.hears("healed removed"));
  REQUIRE(::shutdown(world.listener->fd(), SHUT_RD) == 0);
  CHECK(world.turn_until([&] { return world.heals(HealKind::Reclaimed) == 2; }));
}

TEST_CASE("shutting down for writing alone does no harm") {
  World world;
  REQUIRE(::shutdown(world.listener->fd(), SHUT_WR) == 0);
  world.calm_down();
  CHECK(world.told.empty());
  CHECK(world.is_ours());
}

TEST_CASE("whoever takes the path again and again is left alone for a while") {
  World world;
  for (int i = 0; i < 11; ++i) {
    REQUIRE(::unlink(world.path.c_str()) == 0);
    REQUIRE(world.turn_until([&] {
      return world.heals(HealKind::Removed) == static_cast<std::uint64_t>(i) + 1 ||
             world.report().state != GuardState::Listening;
    }));
  }
  CHECK(world.heals(HealKind::Removed) == 10);
  CHECK(world.report().state == GuardState::Away);
  CHECK(contains(world.reasons.back(), "intercept"));
  CHECK(inode_of(world.path) == 0);
  CHECK(world.turn_until([&] { return world.heals(HealKind::Removed) == 11; }));
  CHECK(world.is_ours());
}

TEST_CASE("who changes the mode again and again keeps it for a while, and the path stays ours") {
  ClaimRequest request = request_for("");
  request.mode = 0660;
  World world(request);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    REQUIRE(::chmod(world.path.c_str(), 0600) == 0);
    REQUIRE(world.turn_until([&] { return world.heals(HealKind::Mode) == i; }));
  }
  REQUIRE(::chmod(world.path.c_str(), 0600) == 0);
  world.calm_down();
  CHECK(world.report().state == GuardState::Listening);
  REQUIRE(::unlink(world.path.c_str()) == 0);
  CHECK(world.hears("healed removed"));
  CHECK(world.is_ours());
  CHECK(world.turn_until([&] { return world.heals(HealKind::Mode) == 11; }));
  CHECK(world.listener->mode() == 0660);
  CHECK(std::ranges::count(world.told, "lost") == 0);
}

TEST_CASE("a spare link that is there is as good as one that is made") {
  World world;
  CHECK(restore_spare(*world.listener).has_value());
  CHECK(world.listener->parts().healable);
  CHECK(world.is_ours());
}

TEST_CASE("what happens to a listener that was released is meant") {
  World world;
  world.guardian.release("api");
  REQUIRE(::unlink(world.path.c_str()) == 0);
  world.calm_down();
  CHECK(inode_of(world.path) == 0);
  CHECK(world.told.empty());
}

TEST_CASE("an abstract listener that is shut down is told to be lost") {
  World world;
  auto abstract = std::make_shared<Listener>(must_claim(request_for("@" + world.path)));
  world.guardian.guard("abstract", abstract);
  REQUIRE(::shutdown(abstract->fd(), SHUT_RD) == 0);
  CHECK(world.hears("lost"));
  CHECK(world.guardian.report("abstract").state == GuardState::Lost);
}

TEST_CASE("two hundred listeners in one directory are guarded by two descriptors") {
  World world;
  const auto open_fds = [] { return std::distance(fs::directory_iterator("/proc/self/fd"), {}); };
  std::vector<std::shared_ptr<Listener>> listeners;
  for (std::size_t i = 0; i < 200; ++i) {
    listeners.push_back(std::make_shared<Listener>(
        must_claim(request_for(world.directory + "/" + std::to_string(i)))));
  }
  const auto before = open_fds();
  for (std::size_t i = 0; i < 200; ++i) world.guardian.guard(std::to_string(i), listeners.at(i));
  CHECK(open_fds() == before);
  for (std::size_t i = 0; i < 200; i += 2) fs::remove(listeners.at(i)->path());
  world.guardian.release("0");
  CHECK(world.turn_until([&] { return std::ranges::count(world.told, "healed removed") == 99; }));
  CHECK(inode_of(listeners.at(0)->path()) == 0);
  CHECK(inode_of(listeners.at(198)->path()) == listeners.at(198)->inode());
}

TEST_CASE("what cannot be watched is said once of each listener, and guarded when it can be") {
  if (test::skip_if_sanitized("UBSan's check of an object's type opens a pipe")) return;
  const Scene scene;
  const auto path = scene / "api.sock";
  Process poor([&] {
    Loop loop;
    auto first = std::make_shared<Listener>(must_claim(request_for(path)));
    auto second = std::make_shared<Listener>(must_claim(request_for(path + "2")));
    struct Owner : Guardian::Owner {
      void on_healed(const std::string&, HealKind, const std::string&) override {}
      void on_succeeded(const std::string&, const Guardian::Shared&) override {}
      void on_lost(const std::string&, const std::string&) override {}
      void on_trouble(const std::string&, const std::string&) override {}
      void on_unguarded(const std::string&, const std::string& why) override {
        if (contains(why, "limit of open files")) ++told;
      }
      int told = 0;
    } owner;
    Guardian guardian(loop, owner);
    const UniqueFd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const auto limit = static_cast<rlim_t>(next.get());
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit none{.rlim_cur = limit, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    guardian.guard("first", first);
    guardian.guard("second", second);
    if (owner.told != 2 || guardian.report("first").guarded) return 1;
    ::setrlimit(RLIMIT_NOFILE, &before);
    ::unlink(path.c_str());
    const bool guarded = wait_until([&] {
      loop.run_pending();
      return guardian.report("first").guarded && guardian.report("second").guarded;
    });
    return guarded && owner.told == 2 && try_connect(path) == 0 ? 0 : 2;
  });
  CHECK(poor.wait() == 0);
}

}  // namespace perch::listener
