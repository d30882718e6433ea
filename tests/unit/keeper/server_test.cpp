// SPDX-License-Identifier: Apache-2.0
// The keeper as any process may meet it: who gets what, in which order, and that nothing which is
// said to it makes it lose or leak a descriptor.
#include "supervisor/keeper/server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/posix/file.h"
#include "common/posix/unix_socket.h"
#include "supervisor/keeper/protocol.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/unit/keeper/scene.h"

namespace perch::test {
namespace {}  // namespace

TEST_CASE("what one owner left the next one fetches, the very same descriptors") {
  Keeping keeping;
  const UniqueFd one = some_file();
  const UniqueFd two = some_file();
  UniqueFd owner = keeping.owner();
  CHECK(keeping.answer(owner, keeper::keep("/a", "facts"), {one.get(), two.get()}) ==
        keeper::kept("/a"));
  CHECK(keeping.server->count() == 1);
  owner.reset();

  owner = keeping.owner();
  const auto fetched = keeping.ask(owner, keeper::fetch_after(""));
  REQUIRE(fetched);
  CHECK(fetched->payload == keeper::kept("/a", "facts"));
  REQUIRE(fetched->fds.size() == 2);
  CHECK(inode_of_fd(fetched->fds[0].get()) == inode_of_fd(one.get()));
  CHECK(inode_of_fd(fetched->fds[1].get()) == inode_of_fd(two.get()));
  CHECK((::fcntl(fetched->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(keeping.answer(owner, keeper::fetch_after("/a")) == keeper::end());
}

TEST_CASE("more listeners than one message could carry are kept and fetched, none lost") {
  Keeping keeping;
  UniqueFd owner = keeping.owner();
  const UniqueFd file = some_file();
  const std::vector<int> fds{file.get(), file.get(), file.get()};
  const auto key = [](int i) { return "/run/" + std::to_string(1000 + i); };
  for (int i = 0; i < 260; ++i) {
    REQUIRE(keeping.answer(owner, keeper::keep(key(i), ""), fds) == keeper::kept(key(i)));
  }
  owner = {};
  owner = keeping.owner();
  std::string last;
  for (int i = 0; i < 260; ++i) {
    const auto next = keeping.ask(owner, keeper::fetch_after(last));
    REQUIRE(next);
    CHECK(next->fds.size() == 3);
    last = key(i);
    REQUIRE(next->payload == keeper::kept(last));
  }
  CHECK(keeping.answer(owner, keeper::fetch_after(last)) == keeper::end());
}

TEST_CASE("what is dropped or replaced is closed") {
  Keeping keeping;
  const UniqueFd owner = keeping.owner();
  const UniqueFd file = some_file();
  const auto before = open_fds(::getpid());
  keeping.answer(owner, keeper::keep("/a", ""), {file.get(), file.get()});
  CHECK(open_fds(::getpid()) == before + 2);
  keeping.answer(owner, keeper::keep("/a", ""), {file.get()});
  CHECK(open_fds(::getpid()) == before + 1);
  CHECK(keeping.answer(owner, keeper::drop("/a")) == keeper::dropped("/a"));
  CHECK(open_fds(::getpid()) == before);
  CHECK(keeping.answer(owner, keeper::drop("/never")) == keeper::dropped("/never"));
}

TEST_CASE("while an owner's connection is open another is refused, by a line that names it") {
  Keeping keeping;
  const UniqueFd owner = keeping.owner();
  const UniqueFd other = keeping.connect();
  const std::string answer = keeping.greet(other, SignOfLife());
  CHECK(answer.starts_with("REFUSED=it serves perch (pid " + std::to_string(::getpid())));
  CHECK(keeping.is_ended(other));
  CHECK(keeping.answer(owner, keeper::fetch_after("")) == keeper::end());
}

TEST_CASE("an owner that is gone is found out before its successor is answered") {
  Keeping keeping;
  UniqueFd owner = keeping.owner();
  const UniqueFd next = keeping.connect();
  keeping.loop.run_pending();
  const UniqueFd file = some_file();
  // All of it lies there before the keeper looks: last words, end, hello.
  REQUIRE(send_datagram(next.get(), keeper::hello(), std::vector{keeping.own.seen()}));
  REQUIRE(send_datagram(owner.get(), keeper::keep("/a", ""), std::vector{file.get()}));
  owner.reset();
  const auto answer = keeping.ask(next, keeper::fetch_after(""));
  REQUIRE(answer);
  CHECK(answer->payload == keeper::welcome(true));
  CHECK(keeping.server->count() == 1);
}

TEST_CASE("an owner's process that lives on after its connection is not robbed, until it dies") {
  Keeping keeping;
  // The process that connected is the test's child; another speaks for it through its descriptor.
  Process child({.argv = {"/usr/bin/python3", "-c",
                          "import os,socket,sys,time\n"
                          "s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\n"
                          "life=os.pipe();s.connect(sys.argv[1])\n"
                          "socket.send_fds(s,[b'HELLO=1\\n'],[life[0]]);s.recv(100)\n"
                          "s.send(b'nonsense');s.recv(100);s.close()\n"
                          "print('closed',flush=True);time.sleep(1000)\n",
                          keeping.path}});
  REQUIRE(turn_until(keeping.loop, [&] { return child.out().contains("closed"); }));
  const UniqueFd refused = keeping.connect();
  CHECK(keeping.greet(refused, keeping.own).contains("pid " + std::to_string(child.pid())));
  child.signal(SIGKILL);
  REQUIRE(child.wait());
  const UniqueFd next = keeping.connect();
  CHECK(keeping.greet(next, keeping.own) == keeper::welcome(true));
}

TEST_CASE("who lost its connection is known by its life when it comes again, not by its pid") {
  Keeping keeping;
  SignOfLife first;
  for (int i = 0; i < 2; ++i) {
    const UniqueFd owner = keeping.connect();
    CHECK(keeping.greet(owner, first) == keeper::welcome(true));
  }
  const UniqueFd early = keeping.connect();
  CHECK(keeping.greet(early, keeping.own).contains("which lives"));
  first.end();
  const UniqueFd next = keeping.connect();
  CHECK(keeping.greet(next, keeping.own) == keeper::welcome(true));
}

TEST_CASE("who comes and goes without keeping anything is not worth a line of the log") {
  Keeping keeping;
  const auto log = [&] {
    keeping.log.flush();
    return read_open_file(keeping.log_file.get()).value_or("");
  };
  const UniqueFd file = some_file();
  const std::string before = log();
  {
    const UniqueFd waits = keeping.owner();
    CHECK(keeping.answer(waits, keeper::fetch_after("")) == keeper::end());
  }
  const UniqueFd owner = keeping.owner();
  CHECK(log() == before);
  keeping.answer(owner, keeper::keep("/a", ""), {file.get()});
  CHECK(log().contains("has come; 0 listener(s) were kept for it"));
}

TEST_CASE("who takes leave makes room at once") {
  Keeping keeping;
  const UniqueFd owner = keeping.owner();
  REQUIRE(send_datagram(owner.get(), keeper::bye()));
  CHECK(keeping.is_ended(owner));
  const UniqueFd next = keeping.owner();
}

TEST_CASE("unknown messages and those of nobody's are refused, and leak nothing") {
  Keeping keeping;
  const UniqueFd file = some_file();
  const auto before = open_fds(::getpid());
  for (const std::string text : {"nonsense", "KEEP=/a\n", "FETCH=\n", "DROP=/a\n", "BYE=1\n"}) {
    CAPTURE(text);
    const UniqueFd stranger = keeping.connect();
    CHECK(keeping.answer(stranger, text, {file.get()}).starts_with("REFUSED="));
    CHECK(keeping.is_ended(stranger));
  }
  for (const std::string text : {"nonsense", "KEEP=/a\n"}) {
    const UniqueFd owner = keeping.owner();
    CHECK(keeping.answer(owner, text).starts_with("REFUSED="));
    CHECK(keeping.is_ended(owner));
  }
  {
    // Until here the keeper looked whether the last one still lives.
    const UniqueFd owner = keeping.owner();
    REQUIRE(send_datagram(owner.get(), keeper::bye()));
    CHECK(keeping.is_ended(owner));
  }
  CHECK(keeping.server->count() == 0);
  CHECK(open_fds(::getpid()) == before);
}

TEST_CASE("a message that does not fit is refused, and the owner stays") {
  Keeping keeping;
  const UniqueFd owner = keeping.owner();
  const std::string large(kMaxDatagram + 1, 'x');
  CHECK(keeping.answer(owner, large).starts_with("REFUSED=the keeper has no room"));
  const UniqueFd file = some_file();
  {
    const FewDescriptors few(1);
    CHECK(keeping.answer(owner, keeper::keep("/a", ""), {file.get(), file.get(), file.get()})
              .starts_with("REFUSED=the keeper has no room"));
  }
  CHECK(keeping.server->count() == 0);
  CHECK(keeping.answer(owner, keeper::keep("/a", ""), {file.get()}) == keeper::kept("/a"));
}

TEST_CASE("a keeper that is full has descriptors left for the next owner") {
  Keeping keeping;
  const UniqueFd file = some_file();
  std::size_t kept = 0;
  // The clients' ends are in this process too.
  const FewDescriptors few(60);
  {
    const UniqueFd owner = keeping.owner();
    const auto takes = [&](const std::string& key) {
      return keeping.answer(owner, keeper::keep(key, ""), {file.get(), file.get()}) ==
             keeper::kept(key);
    };
    while (takes("/" + std::to_string(kept))) ++kept;
    CHECK(takes("/0"));
  }
  CHECK(kept > 0);
  CHECK(keeping.server->count() == kept);
  const UniqueFd next = keeping.connect();
  CHECK(keeping.greet(next, keeping.own) == keeper::welcome(true));
}

TEST_CASE("a sign of life that is no pipe is refused") {
  Keeping keeping;
  const UniqueFd stranger = keeping.connect();
  CHECK(keeping.answer(stranger, keeper::hello(), {some_file().get()}).starts_with("REFUSED="));
  CHECK(keeping.is_ended(stranger));
}

TEST_CASE("the number of listeners is bounded") {
  Keeping keeping;
  const UniqueFd owner = keeping.owner();
  const UniqueFd file = some_file();
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string key = "/" + std::to_string(i);
    REQUIRE(keeping.answer(owner, keeper::keep(key, ""), {file.get()}) == keeper::kept(key));
  }
  keeper::Store store;
  for (std::size_t i = 0; i < keeper::kMaxDeposits; ++i) {
    REQUIRE(store.keep(std::to_string(i), {}));
  }
  CHECK_FALSE(store.keep("one more", {}));
  CHECK(store.keep("0", {}));
}

TEST_CASE("connections that say nothing make room for others, and never the owner") {
  Keeping keeping;
  const UniqueFd owner = keeping.owner();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 40; ++i) {
    silent.push_back(keeping.connect());
    keeping.loop.run_pending();
  }
  CHECK(keeping.is_ended(silent.front()));
  CHECK(keeping.answer(owner, keeper::fetch_after("")) == keeper::end());
  CHECK(keeping.greet(silent.back(), keeping.own).starts_with("REFUSED="));
}

TEST_CASE("only root, the keeper's user and those it was told of come in") {
  if (!have(is_root(), "needs root: setpriv")) return;
  const auto knock = [](Keeping& keeping) {
    Process stranger(
        {.argv = {"setpriv", "--reuid=12345", "--clear-groups", "/usr/bin/python3", "-c",
                  "import os,socket,sys\n"
                  "s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\n"
                  "s.connect(sys.argv[1]);socket.send_fds(s,[b'HELLO=1\\n'],[os.pipe()[0]])\n"
                  "print(s.recv(1000).decode(),flush=True)\n",
                  keeping.path}});
    REQUIRE(turn_until(keeping.loop, [&] { return stranger.ending().has_value(); }));
    return stranger.out() + stranger.err();
  };
  SUBCASE("a stranger cannot even connect") {
    Keeping keeping;
    ::chmod(keeping.directory.path().c_str(), 0755);
    CHECK(knock(keeping).contains("Permission denied"));
  }
  SUBCASE("a stranger who can is refused") {
    Keeping keeping({54321});
    ::chmod(keeping.directory.path().c_str(), 0755);
    CHECK(knock(keeping).contains("uid 12345 may not use this keeper"));
  }
  SUBCASE("one of the users is welcome") {
    Keeping keeping({12345});
    ::chmod(keeping.directory.path().c_str(), 0755);
    CHECK(knock(keeping).contains("WELCOME=1"));
  }
}

}  // namespace perch::test
