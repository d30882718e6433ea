// SPDX-License-Identifier: Apache-2.0
// What the tests of the listener share: a directory of their own, sockets of the kinds that may lie
// at a path, other processes and other users. All of it is real; all of it goes at the end.
#pragma once

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "common/value/unique_fd.h"
#include "supervisor/listener/claim.h"

namespace perch::listener {

class Scene {
 public:
  Scene();
  ~Scene();
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string operator/(const std::string& name) const {
    return directory_ + "/" + name;
  }

 private:
  std::string directory_;
};

// A process of the test's own; killed and reaped at the end.
class Process {
 public:
  // `body` ends in the child's exit code; no doctest macros in it.
  explicit Process(const std::function<int()>& body);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }
  void kill_hard();
  // Its exit code; 128 + n for a signal.
  int wait();
  [[nodiscard]] bool has_ended();

 private:
  pid_t pid_ = -1;
  std::optional<int> code_;
};

bool wait_until(const std::function<bool()>& condition,
                std::chrono::seconds limit = std::chrono::seconds(20));

// Sockets of foreign daemons. Throws on failure: a test without its scene is no test.
UniqueFd bind_socket(const std::string& path, int type = SOCK_STREAM);
UniqueFd listen_socket(const std::string& path, int backlog = 16);
void leave_stale_socket(const std::string& path);
// 0 or errno.
int try_connect(const std::string& path);
std::optional<struct stat> look_at(const std::string& path);
ino_t inode_of(const std::string& path);  // 0: nothing there
void write_text(const std::string& path, const std::string& text);
std::string read_text(const std::string& path);

ClaimRequest request_for(const std::string& path);
// Claims that are expected to succeed, or to fail; both throw if it is otherwise.
Listener must_claim(const ClaimRequest& request);
// "owned: ...", "refused: ...", "error: ...", "claimed".
std::string try_claim(const ClaimRequest& request);
// The same in another process, as that user (and the group of that number).
std::string try_claim_as(uid_t uid, const ClaimRequest& request);
// The same in a process in which a system call (with that flag, if any) fails with that errno, or
// kills the process where there is none; it then says nothing.
struct Forbidden {
  int syscall = 0;
  std::optional<unsigned> fifth_argument;
  std::optional<int> error;
};
std::string try_claim_without(const Forbidden& forbidden, const ClaimRequest& request,
                              const std::function<std::string(Listener&)>& describe);

bool contains(const std::string& text, const std::string& part);

}  // namespace perch::listener
