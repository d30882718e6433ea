// SPDX-License-Identifier: Apache-2.0
// Generation: one life of a worker instance, from spawn until its whole tree is gone: the process,
// what it was given, and the lines it speaks on. Its resources end with it; late news of an old
// life finds nobody.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "supervisor/handover/channel.h"
#include "supervisor/handover/interceptor.h"
#include "supervisor/handover/notify_socket.h"
#include "supervisor/launch.h"
#include "supervisor/listener_set.h"
#include "supervisor/log.h"
#include "supervisor/non_blocking_writer.h"
#include "supervisor/output_capture.h"
#include "supervisor/process/process_tree.h"
#include "supervisor/process/spawn.h"
#include "supervisor/runtime_directory.h"

namespace perch {

// What every spawn borrows from the supervisor.
struct Stage {
  Loop& loop;
  process::Spawner& spawner;
  RuntimeDirectory& runtime;
  NonBlockingWriter& out;
  NonBlockingWriter& err;
  Log& log;
  int dev_null;
};

class Generation {
 public:
  using Steady = std::chrono::steady_clock;
  using OnMessage = std::function<void(const NotifyMessage&)>;

  struct Plan {
    LifeFacts life;
    const Launch& launch;
    std::vector<SharedListener> listeners;
    process::CgroupEntry cgroup;
  };
  struct Born {
    std::unique_ptr<Generation> generation;
    UniqueFd pidfd;
  };

  struct Stillborn {
    std::string why;  // one line: "exec /usr/bin/app: Permission denied"
    // As a shell would exit for it: 127 not found, 126 cannot be run. Absent where perch, not the
    // worker's configuration, lacked something (descriptors, memory).
    std::optional<int> shell_code;
    bool cgroup_refused = false;  // it could not enter its cgroup
  };

  static std::expected<Born, Stillborn> spawn(const Stage& stage, Plan plan,
                                              const OnMessage& on_message);

  // Once the worker runs: from here on the loop hears its notify socket and answers its calls.
  // Where perch cannot, the worker must not go on.
  std::expected<void, Stillborn> listen(Loop& loop, const Launch& launch,
                                        handover::Interceptor::Callbacks callbacks);
  // Answers the calls that wait, if time allows. May run on_bound.
  void answer_calls();
  // Hears everything that the worker has said and written so far.
  void drain();
  // By `intercept`: it has bound every listener.
  [[nodiscard]] bool has_bound() const { return interceptor_ && interceptor_->all_bound(); }
  [[nodiscard]] handover::InterceptCounts intercepted() const {
    return interceptor_ ? interceptor_->counts() : handover::InterceptCounts();
  }
  // It was given these very sockets.
  [[nodiscard]] bool holds(const std::vector<SharedListener>& listeners) const {
    return listeners_ == listeners;
  }
  [[nodiscard]] bool has_channel() const noexcept { return channel_ != nullptr; }
  // Hands new listeners to the running worker and takes away the ones that are gone; for `channel`
  // alone (has_channel).
  Result<void> rehand(const Launch& launch, std::vector<SharedListener> listeners);
  // What it binds from now on are these; for `intercept` alone, and nothing else otherwise.
  void retarget(const Launch& launch, std::vector<SharedListener> listeners);
  // False where this worker cannot be asked.
  bool ask_to_drain(std::chrono::microseconds within);
  [[nodiscard]] bool can_drain() const { return channel_ && channel_->greeted(); }
  [[nodiscard]] std::vector<std::string> stderr_tail() const;
  // What a reload changes of it while the worker runs.
  void adjust_capture(const config::WorkerConfig& config);
  // Captured bytes that nobody took from perch.
  [[nodiscard]] std::uint64_t lost_output() const { return capture_ ? capture_->lost_bytes() : 0; }

  const std::uint64_t number;
  const Steady::time_point born = Steady::now();
  const control::WallTime born_at = std::chrono::system_clock::now();
  pid_t pid = 0;      // of the main process
  pid_t session = 0;  // its first main process's pid
  std::optional<Steady::time_point> ready_at;
  std::string status_text;  // the worker's own STATUS=
  std::string errno_text;   // what its ERRNO= means
  // MAINPID= named another process: it succeeds the main process when that ends.
  std::optional<pid_t> successor;

 private:
  // The child's copies: closed here once it has them.
  struct ChildEnds {
    UniqueFd channel;
    OutputCapture::WriteEnds output;
  };
  explicit Generation(std::uint64_t life) : number(life) {}
  Result<ChildEnds> open_lines(const Stage& stage, const Plan& plan, const OnMessage& on_message);
  process::SpawnRequest request(const Stage& stage, const Plan& plan, const ChildEnds& ends) const;
  [[nodiscard]] std::vector<handover::NamedFd> named_listeners(const Launch& launch) const;
  [[nodiscard]] handover::InterceptSettings intercept_settings(const Launch& launch) const;

  std::vector<SharedListener> listeners_;
  std::unique_ptr<handover::Channel> channel_;
  std::unique_ptr<handover::NotifySocket> notify_;
  UniqueFd calls_;  // that the filter stops, until the interceptor has them
  std::unique_ptr<handover::Interceptor> interceptor_;
  std::unique_ptr<OutputCapture> capture_;
};

}  // namespace perch
