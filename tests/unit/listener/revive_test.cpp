// SPDX-License-Identifier: Apache-2.0
// A listener that outlives its perch in somebody's hands: what is still good is taken up as it is,
// and what is not leaves the path free to be claimed.
#include "supervisor/listener/revive.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "supervisor/listener/sight.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/requirement.h"
#include "tests/unit/listener/scene.h"

namespace perch::listener {
namespace {

UniqueFd copy(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

// What a keeper has once the perch is dead, and what it hands to the next one.
struct Kept {
  explicit Kept(const std::string& path) {
    const Listener claimed = must_claim(request_for(path));
    for (const int fd : descriptors_to_keep(claimed)) fds.push_back(copy(fd));
  }
  [[nodiscard]] KeptListener hand_out() const {
    KeptListener kept{.socket = copy(fds.at(0).get()), .file = {}, .lock = {}};
    if (fds.size() == 1) return kept;
    kept.file = copy(fds.at(1).get());
    kept.lock = copy(fds.at(2).get());
    return kept;
  }
  // "stale: ...", "elsewhere: ..." or "cannot tell: ...".
  [[nodiscard]] std::string why_not(const std::string& path) const {
    const auto revived = revive(hand_out(), request_for(path));
    if (revived) return "";
    const auto& [kind, why] = revived.error();
    if (kind == NotRevived::Kind::Elsewhere) return "elsewhere: " + why;
    return (kind == NotRevived::Kind::Stale ? "stale: " : "cannot tell: ") + why;
  }
  std::vector<UniqueFd> fds;
};

}  // namespace

TEST_CASE("a kept listener is the same socket and the same inode, and its lock was never free") {
  const Scene scene;
  const std::string path = scene / "a.sock";
  const Kept kept(path);
  const ino_t inode = inode_of(path);
  CHECK(contains(try_claim(request_for(path)), "owned"));
  CHECK(try_connect(path) == 0);

  const auto revived = revive(kept.hand_out(), request_for(path));
  REQUIRE(revived);
  CHECK(revived->inode() == inode);
  CHECK(revived->parts().claimed == ClaimedAs::Revived);
  CHECK(revived->parts().healable);
  CHECK(UniqueFd(::accept4(revived->fd(), nullptr, nullptr, SOCK_CLOEXEC)));
  CHECK(contains(try_claim(request_for(path)), "owned"));
}

TEST_CASE("a path that was removed or covered by a dead socket is left to the guardian") {
  const Scene scene;
  const std::string path = scene / "a.sock";
  const Kept kept(path);
  REQUIRE(::unlink(path.c_str()) == 0);
  Remedy expected = Remedy::LinkBack;
  SUBCASE("removed") {}
  SUBCASE("a dead socket") {
    leave_stale_socket(path);
    expected = Remedy::ExchangeBack;
  }
  SUBCASE("a file") {
    write_text(path, "no socket");
    expected = Remedy::Displace;
  }
  const auto revived = revive(kept.hand_out(), request_for(path));
  REQUIRE(revived);
  CHECK(remedy_for(look_at(*revived, Listens::Yes)->sight) == expected);
}

TEST_CASE("what is of no use any more says why, and its lock is free though copies of it live") {
  const Scene scene;
  const std::string path = scene / "a.sock";
  const Kept kept(path);
  SUBCASE("shut down") {
    REQUIRE(::shutdown(kept.fds[0].get(), SHUT_RDWR) == 0);
    CHECK(contains(kept.why_not(path), "stale: it does not listen"));
    REQUIRE(::unlink(path.c_str()) == 0);
  }
  SUBCASE("without a name") {
    REQUIRE(::unlink(path.c_str()) == 0);
    REQUIRE(::unlink((scene / ".a.sock.perch").c_str()) == 0);
    CHECK(contains(kept.why_not(path), "stale: its socket file was removed"));
  }
  SUBCASE("no socket at all") {
    KeptListener other = kept.hand_out();
    other.socket = copy(0);
    const auto revived = revive(std::move(other), request_for(path));
    REQUIRE_FALSE(revived);
    CHECK(revived.error().kind == NotRevived::Kind::Stale);
    REQUIRE(::unlink(path.c_str()) == 0);
  }
  CHECK(try_claim(request_for(path)) == "claimed");
}

TEST_CASE("a live socket at the path is not fought, and a lock of another is believed") {
  const Scene scene;
  const std::string path = scene / "a.sock";
  const Kept kept(path);
  SUBCASE("a live socket") {
    REQUIRE(::unlink(path.c_str()) == 0);
    const UniqueFd live = listen_socket(path);
    CHECK(contains(kept.why_not(path), "stale: a live socket stands at its path"));
    CHECK(try_connect(path) == 0);
  }
  SUBCASE("a new lock file") {
    REQUIRE(::unlink((scene / ".a.sock.lock").c_str()) == 0);
    CHECK(contains(kept.why_not(path), "elsewhere: lock"));
    CHECK(contains(kept.why_not(path), "was removed or replaced"));
  }
}

TEST_CASE("the lock of a perch for which the path leads elsewhere is neither believed nor let go") {
  const Scene theirs;
  const Scene ours;
  const Kept kept(theirs / "a.sock");
  CHECK(contains(kept.why_not(ours / "a.sock"), "elsewhere: "));
  CHECK(try_claim(request_for(ours / "a.sock")) == "claimed");
  CHECK(contains(try_claim(request_for(theirs / "a.sock")), "owned"));
  CHECK(revive(kept.hand_out(), request_for(theirs / "a.sock")));
}

TEST_CASE("a lock that was let go and is another's now is believed too") {
  const Scene scene;
  const std::string path = scene / "a.sock";
  const Kept kept(path);
  REQUIRE(::flock(kept.fds.at(2).get(), LOCK_UN) == 0);
  const auto other = PathLock::try_lock(*SocketDirectory::open(path));
  REQUIRE(other);
  CHECK(contains(kept.why_not(path), "stale: its lock is held by another perch"));
  CHECK(try_connect(path) == 0);
}

TEST_CASE("where the directory is away nobody can tell, and nothing of what is kept is let go") {
  const Scene scene;
  const std::string path = scene / "a.sock";
  const Kept kept(path);
  const std::string away = scene.directory() + ".away";
  REQUIRE(::rename(scene.directory().c_str(), away.c_str()) == 0);
  const std::string why = kept.why_not(path);
  REQUIRE(::rename(away.c_str(), scene.directory().c_str()) == 0);
  CHECK(contains(why, "cannot tell: "));
  CHECK(contains(why, "does not exist"));
  CHECK(contains(try_claim(request_for(path)), "owned"));
  CHECK(revive(kept.hand_out(), request_for(path)));
}

TEST_CASE("who may not look into the directory cannot tell") {
  if (!test::have(test::is_root(), "needs root: setuid")) return;
  const Scene scene;
  const std::string path = scene / "a.sock";
  const Kept kept(path);
  REQUIRE(::chmod(scene.directory().c_str(), 0700) == 0);
  Process stranger([&] {
    if (::setuid(12345) != 0) return 2;
    const std::string why = kept.why_not(path);
    return contains(why, "cannot tell: ") && contains(why, "Permission denied") ? 0 : 1;
  });
  CHECK(stranger.wait() == 0);
  CHECK(contains(try_claim(request_for(path)), "owned"));
}

TEST_CASE("however few descriptors can be had, what is kept is taken up or stays as it is") {
  const Scene scene;
  const std::string path = scene / "a.sock";
  const Kept kept(path);
  SUBCASE("at its path") {}
  SUBCASE("under a dead socket") {
    REQUIRE(::unlink(path.c_str()) == 0);
    leave_stale_socket(path);
  }
  const auto try_with = [&](rlim_t descriptors) {
    auto handed_out = kept.hand_out();
    const test::FewDescriptors few(descriptors);
    return revive(std::move(handed_out), request_for(path));
  };
  constexpr rlim_t kEnough = 16;
  rlim_t count = 0;
  for (;; ++count) {
    CAPTURE(count);
    REQUIRE(count < kEnough);
    const auto tried = try_with(count);
    if (tried) break;
    CHECK(tried.error().kind == NotRevived::Kind::CannotTell);
    CHECK(contains(tried.error().why, "Too many open files"));
    CHECK(contains(try_claim(request_for(path)), "owned"));
  }
  CHECK(count > 3);
}

TEST_CASE("an abstract name is kept by its socket alone") {
  const std::string name = "@perch-revive-" + std::to_string(::getpid());
  const Kept kept(name);
  CHECK(kept.fds.size() == 1);
  CHECK(contains(kept.why_not(name + "x"), "stale: it has another name"));
  const auto revived = revive(kept.hand_out(), request_for(name));
  REQUIRE(revived);
  CHECK(revived->inode() == 0);
}

}  // namespace perch::listener
