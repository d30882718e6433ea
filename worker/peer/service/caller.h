// SPDX-License-Identifier: Apache-2.0
// Caller: who is at the other end of a connection, as the kernel tells it, and the right to write
// files in that name and in no other.
#pragma once

#include <sys/types.h>

#include <compare>
#include <vector>

#include "common/value/error.h"

namespace perch::peer {

struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary

  // From SO_PEERCRED and SO_PEERGROUPS of a connected Unix socket.
  static Result<Caller> of(int connection);
  // This process.
  static Caller self();

  auto operator<=>(const Caller&) const = default;
};

// While it lives, this thread's file access is the caller's: the kernel itself then decides about
// every path, group and ACL. Other threads are not touched (setfsuid(2) is per thread).
class ActingAs {
 public:
  // EPERM when the caller is another user and we are not root, or have not the capabilities that it
  // takes, and for the overflow user, which stands for anybody of another user namespace.
  static Result<ActingAs> begin(const Caller& caller);
  ~ActingAs();
  ActingAs(ActingAs&& other) noexcept;
  ActingAs& operator=(ActingAs&&) = delete;

 private:
  explicit ActingAs(bool switched) : switched_(switched) {}
  bool switched_;
  std::vector<gid_t> own_groups_;
};

// For the whole process: it starts its other threads afterwards. A disk that is full for others, by
// a quota or but for what is reserved for root, is then full for root as well.
void give_up_reserves();

}  // namespace perch::peer
