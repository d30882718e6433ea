// SPDX-License-Identifier: Apache-2.0
// The interceptor on the loop: its start and end, rights that perch may lack, processes that die in
// a stopped call, listeners that change under way.
#include "supervisor/handover/interceptor.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "supervisor/handover/borrowed_identity.h"
#include "supervisor/handover/bounded_wait.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/support/wait_until.h"
#include "tests/unit/handover/intercept_scene.h"
#include "tests/unit/handover/scene.h"

namespace perch::test {
namespace {

using handover::Answer;
using handover::Interceptor;
using handover::Notifications;

constexpr uid_t kNobody = 65534;

// The test's own effective capability, gone for as long as this lives.
class Without {
 public:
  explicit Without(unsigned capability) : bit_(1U << capability) { set(false); }
  ~Without() { set(true); }
  Without(const Without&) = delete;
  Without& operator=(const Without&) = delete;

 private:
  void set(bool on) const {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> data{};
    ::syscall(SYS_capget, &header, data.data());
    data[0].effective = on ? data[0].effective | bit_ : data[0].effective & ~bit_;
    ::syscall(SYS_capset, &header, data.data());
  }
  unsigned bit_;
};

// As after an exec: the process' own user may look into it.
bool become(uid_t uid) {
  return ::setresgid(uid, uid, uid) == 0 && ::setresuid(uid, uid, uid) == 0 &&
         ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

FilteredProcess::Plan binds_as(uid_t uid, const std::string& path) {
  return {.prepare = [uid] { return become(uid); },
          .act = [path] { return worker::bound(path) < 0 ? errno : 0; }};
}

void open_to_all(const InterceptScene& scene) {
  REQUIRE(::chmod(scene.directory().c_str(), 0777) == 0);
}

}  // namespace

TEST_CASE("the watch ends with the last process under the filter") {
  InterceptScene scene;
  const auto process = scene.start({.act = [] {
    const pid_t child = ::fork();
    if (child == 0) breathe();
    return 0;
  }});
  REQUIRE(process);
  scene.loop.run();  // returns since nothing is watched any more
  CHECK(wait_until([&] { return process->ending() == 0; }));
}

TEST_CASE("drain answers all that waits, without the loop") {
  InterceptScene scene;
  const auto process = scene.start({.act = [&] { return worker::bound(scene.path()) < 0; }});
  REQUIRE(process);
  CHECK(wait_until([&] {
    scene.interceptor->drain();
    return process->ending().has_value();
  }));
  CHECK(process->ending() == 0);
  CHECK(scene.bound_calls == 1);
}

TEST_CASE("who is told that all is bound may destroy the interceptor; the daemon has its answer") {
  InterceptScene scene;
  const auto filter = handover::InterceptFilter::build({});
  REQUIRE(filter);
  FilteredProcess process(*filter, {.act = [&] { return worker::bound(scene.path()) < 0; }});
  std::unique_ptr<Interceptor> interceptor;
  bool told = false;
  auto serving =
      Interceptor::serve(scene.loop, process.take_notify(), process.pid(), scene.settings,
                         {.on_bound =
                              [&] {
                                interceptor.reset();
                                told = true;
                              },
                          .on_trouble = [](const std::string&) {}});
  REQUIRE(serving);
  interceptor = std::move(*serving);
  process.go();
  CHECK(run_until(scene.loop, [&] { return process.ending().has_value(); }));
  CHECK(process.ending() == 0);
  CHECK(told);
  CHECK(interceptor == nullptr);
}

TEST_CASE("a worker of another user is served without CAP_SYS_PTRACE") {
  if (!have(is_root(), "needs root: other users")) return;
  InterceptScene scene;
  open_to_all(scene);
  const Without ptrace(CAP_SYS_PTRACE);
  CHECK(scene.run(binds_as(kNobody, scene.path())) == 0);
  CHECK(scene.counts.bound == 1);
  CHECK(scene.troubles.empty());
  CHECK(::geteuid() == 0);
  CHECK(::prctl(PR_GET_DUMPABLE) == 1);
}

TEST_CASE("without CAP_SYS_PTRACE datagram sockets of another user are still told from streams") {
  if (!have(is_root(), "needs root: other users")) return;
  InterceptScene scene;
  open_to_all(scene);
  const Without ptrace(CAP_SYS_PTRACE);
  auto plan = binds_as(kNobody, scene.path());
  plan.act = [&] { return worker::bind(worker::make(SOCK_DGRAM), scene.path()); };
  CHECK(scene.run(plan) == EADDRINUSE);
  CHECK(scene.counts.bound == 0);
}

TEST_CASE("a socket of the same name in another directory is not the one that was bound") {
  if (!have(is_root(), "needs root: other users")) return;
  InterceptScene scene;
  open_to_all(scene);
  REQUIRE(::mkdir(scene.path("roots").c_str(), 0755) == 0);
  const std::string roots = scene.path("roots") + "/tmp";
  const UniqueFd foreign = listening_at(roots);
  auto plan = binds_as(kNobody, scene.path("tmp"));
  plan.act = [&] {
    worker::bound(scene.path("tmp"));
    return worker::outcome(::rename(roots.c_str(), scene.path().c_str()));
  };
  CHECK(scene.run(plan) == EPERM);
  CHECK(::access(roots.c_str(), F_OK) == 0);
  CHECK(scene.counts.refused == 1);
  CHECK(::access(scene.path().c_str(), F_OK) == 0);
}

TEST_CASE("a file is removed with the worker's rights: root's without its capabilities") {
  if (!have(is_root(), "needs root: other users")) return;
  const TemporaryDirectory directory;
  write_text(directory.path("file"), "x");
  REQUIRE(::chown(directory.path().c_str(), kNobody, kNobody) == 0);
  REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  const UniqueFd place(::open(directory.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto denied = handover::unlink_as({.uid = 0, .gid = 0}, place.get(), "file");
  REQUIRE_FALSE(denied);
  CHECK(denied.error().is(EACCES));
  const std::uint64_t override_rights = 1U << CAP_DAC_OVERRIDE;
  CHECK(handover::unlink_as({.uid = 0, .gid = 0, .capabilities = override_rights}, place.get(),
                            "file"));
  write_text(directory.path("file"), "x");  // our own rights are back
  CHECK(handover::unlink_as({.uid = kNobody, .gid = kNobody}, place.get(), "file"));
  write_text(directory.path("file"), "x");
}

TEST_CASE("a call that waits for too long is ended, and nothing of that is left") {
  struct sigaction before{};
  struct sigaction after{};
  ::sigaction(SIGVTALRM, nullptr, &before);
  {
    const handover::BoundedWait bounded(std::chrono::milliseconds(5));
    CHECK(::poll(nullptr, 0, 30'000) == -1);
    CHECK(errno == EINTR);
  }
  ::sigaction(SIGVTALRM, nullptr, &after);
  CHECK((before.sa_handler == after.sa_handler));
}

TEST_CASE("a caller whom a signal took its answer away is answered when it asks again") {
  InterceptScene scene;
  const auto filter = handover::InterceptFilter::build({});
  REQUIRE(filter);
  const std::string temporary = scene.path("tmp");
  FilteredProcess process(*filter, {.act = [&] {
    const int socket = worker::make();
    if (worker::bind(socket, scene.path()) != EINTR) return 1;
    if (worker::bind(socket, scene.path()) != 0) return 2;
    if (worker::bind(socket, scene.path()) == 0) return 3;  // bound twice
    worker::bound(temporary);
    const auto rename = [&] { return ::rename(temporary.c_str(), scene.path().c_str()); };
    if (worker::outcome(rename()) != EINTR) return 4;
    return worker::outcome(rename());
  }});
  auto notifications = Notifications::open(process.take_notify());
  REQUIRE(notifications);
  handover::InterceptAnswers answers(*notifications, scene.settings, [](const std::string&) {});
  process.go();
  int calls = 0;
  REQUIRE(wait_until([&] {
    if (notifications->state() != Notifications::State::Waiting) {
      return process.ending().has_value();
    }
    const auto call = notifications->receive();
    auto answer = answers.to(*call);
    const bool is_lost = ++calls == 1 || calls == 5;
    if (is_lost) answers.on_undelivered();
    if (is_lost) answer = Answer::refused(EINTR);
    CHECK(notifications->answer(call->id, answer));
    return false;
  }));
  CHECK(process.ending() == 0);
  CHECK(calls == 6);
  CHECK(answers.counts().bound == 2);
}

TEST_CASE("where perch has no descriptor left a removal of the path fails, and that is told") {
  InterceptScene scene;
  const Shared<bool> may_begin;
  const auto process = scene.start({.act = [&] {
    while (!*may_begin) breathe();
    return worker::outcome(::unlink(scene.path().c_str()));
  }});
  REQUIRE(process);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{.rlim_cur = 1, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  *may_begin = true;
  const bool finished = wait_until([&] {
    scene.interceptor->drain();
    return process->ending().has_value();
  });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(finished);
  CHECK(process->ending() == EMFILE);
  CHECK(::access(scene.path().c_str(), F_OK) == 0);
  REQUIRE(scene.troubles.size() == 1);
  CHECK(scene.troubles[0].find("give perch more descriptors") != std::string::npos);
}

TEST_CASE("a process that is no child of perch's means that /proc is another namespace's") {
  InterceptScene scene;
  const auto filter = handover::InterceptFilter::build({});
  REQUIRE(filter);
  FilteredProcess process(*filter, {.act = [] { return 0; }});
  const auto serving =
      Interceptor::serve(scene.loop, process.take_notify(), ::getpid(), scene.settings,
                         {.on_bound = [] {}, .on_trouble = [](const std::string&) {}});
  REQUIRE_FALSE(serving);
  CHECK(serving.error().text().find("another pid namespace") != std::string::npos);
}

TEST_CASE("a process that nobody may look into is refused at the start, with what to change") {
  if (!have(is_root(), "needs root: other users")) return;
  InterceptScene scene;
  const Without ptrace(CAP_SYS_PTRACE);
  const auto process =
      scene.start({.prepare = [] { return become(kNobody) && ::prctl(PR_SET_DUMPABLE, 0) == 0; },
                   .act = [] { return 0; }});
  CHECK(process == nullptr);
  CHECK(scene.refusal.starts_with("intercept: open /proc/"));
  CHECK(scene.refusal.find("mem: Permission denied") != std::string::npos);
  CHECK(scene.refusal.find("CAP_SYS_PTRACE") != std::string::npos);
}

TEST_CASE("a process that becomes unreadable later is the kernel's to answer, told once a call") {
  if (!have(is_root(), "needs root: other users")) return;
  InterceptScene scene;
  open_to_all(scene);
  const Without ptrace(CAP_SYS_PTRACE);
  auto plan = binds_as(kNobody, scene.path());
  plan.act = [&] {
    if (::prctl(PR_SET_DUMPABLE, 0) != 0) return 1;
    for (int i = 0; i < 5; ++i) worker::bind(worker::make(), scene.path());
    return worker::bind(worker::make(), scene.path());
  };
  CHECK(scene.run(plan) == EADDRINUSE);
  CHECK(scene.counts.unreadable == 6);
  REQUIRE(scene.troubles.size() == 1);
  CHECK(scene.troubles[0].find("makes bind calls that perch may not look at") != std::string::npos);
}

TEST_CASE("a process that dies in a stopped call leaves nothing waiting") {
  InterceptScene scene;
  const auto filter = handover::InterceptFilter::build({});
  REQUIRE(filter);
  FilteredProcess process(*filter, {.act = [&] { return worker::bound(scene.path()) < 0; }});
  auto notifications = Notifications::open(process.take_notify());
  REQUIRE(notifications);
  process.go();
  REQUIRE(wait_until([&] { return notifications->state() == Notifications::State::Waiting; }));
  const auto call = notifications->receive();
  REQUIRE(call);
  CHECK(notifications->still_waits(call->id));
  process.kill();
  CHECK(wait_until([&] { return process.ending().has_value(); }));
  CHECK_FALSE(notifications->still_waits(call->id));
  const auto put =
      notifications->put_descriptor(call->id, scene.listener(), 3, handover::CloseOnExec::No);
  REQUIRE_FALSE(put);
  CHECK(put.error().is(ENOENT));
  CHECK(notifications->answer(call->id, Answer::done()) == Notifications::Delivery::NobodyWaits);
  CHECK(notifications->state() == Notifications::State::Ended);
}

TEST_CASE("a process that dies before its call is looked at is passed over") {
  InterceptScene scene;
  const auto process = scene.start({.act = [&] { return worker::bound(scene.path()) < 0; }});
  REQUIRE(process);
  REQUIRE(wait_until([&] { return state_of(process->pid()) == 'S'; }));
  process->kill();
  CHECK(wait_until([&] { return process->ending().has_value(); }));
  scene.loop.run();
  CHECK(scene.interceptor->counts().bound == 0);
}

TEST_CASE("a listener claimed anew is what the next bind gets; what was bound stays bound") {
  InterceptScene scene;
  struct Steps {
    bool bound;
    ino_t expected;
  };
  const Shared<Steps> steps;
  const auto process = scene.start({.act = [&] {
    worker::bound(scene.path());
    steps->bound = true;
    while (steps->expected == 0) breathe();
    return inode_of(worker::bound(scene.path())) == steps->expected ? 0 : 1;
  }});
  REQUIRE(process);
  REQUIRE(run_until(scene.loop, [&] { return steps->bound; }));
  REQUIRE(::unlink(scene.path().c_str()) == 0);
  scene.add(scene.path());
  auto targets = scene.settings.targets;
  targets[1].name = targets[0].name;
  targets.erase(targets.begin());
  scene.interceptor->replace(targets);
  CHECK(scene.interceptor->all_bound());
  steps->expected = scene.inode(1);
  CHECK(scene.finish(*process));
  CHECK(process->ending() == 0);
  CHECK(scene.counts.bound == 2);
  CHECK(scene.bound_calls == 1);
}

TEST_CASE("a descriptor that brings no notifications is refused") {
  Loop loop;
  const auto serving =
      Interceptor::serve(loop, UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)), ::getpid(), {},
                         {.on_bound = [] {}, .on_trouble = [](const std::string&) {}});
  REQUIRE_FALSE(serving);
  CHECK(serving.error().text().starts_with("intercept: "));
}

TEST_CASE("a worker that errs without end is told of a hundred times") {
  InterceptScene scene;
  CHECK(scene.run([&] {
    for (int i = 0; i < 200; ++i) worker::bind(worker::make(SOCK_DGRAM), scene.path());
    return 0;
  }) == 0);
  REQUIRE(scene.troubles.size() == Interceptor::kMaxTroubles);
  CHECK(scene.troubles.back().ends_with("no more is told of this generation"));
}

}  // namespace perch::test
