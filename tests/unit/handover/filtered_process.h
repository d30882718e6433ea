// SPDX-License-Identifier: Apache-2.0
// FilteredProcess: a forked process that installs an InterceptFilter, hands the notify descriptor
// over and does what a test gives it to do, with raw system calls where that matters. No doctest
// macro runs in it: what it saw comes back in memory that both share. Killed with this object.
#pragma once

#include <sys/mman.h>
#include <sys/types.h>

#include <functional>
#include <new>
#include <optional>

#include "common/value/unique_fd.h"
#include "supervisor/handover/intercept_filter.h"

namespace perch::test {

// A value that processes forked later share with the test.
template <class T>
class Shared {
 public:
  Shared() {
    void* const memory =
        ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    value_ = new (memory) T{};
  }
  ~Shared() { ::munmap(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  T* operator->() const noexcept { return value_; }
  T& operator*() const noexcept { return *value_; }

 private:
  T* value_;
};

class FilteredProcess {
 public:
  // What happens before the filter (another user, another mount namespace) and after it. The exit
  // code is what `act` answers; 100 when `prepare` or the filter failed.
  struct Plan {
    std::function<bool()> prepare{};
    std::function<int()> act{};
  };
  FilteredProcess(const handover::InterceptFilter& filter, Plan plan);
  ~FilteredProcess();
  FilteredProcess(const FilteredProcess&) = delete;
  FilteredProcess& operator=(const FilteredProcess&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // Once; empty when it could not be made.
  [[nodiscard]] UniqueFd take_notify() noexcept { return std::move(notify_); }
  // `act` begins.
  void go();
  void kill();
  // The exit code, or minus the signal; none while it lives.
  std::optional<int> ending();

 private:
  [[noreturn]] static void run(const handover::InterceptFilter& filter, const Plan& plan,
                               int channel) noexcept;
  UniqueFd channel_;
  UniqueFd notify_;
  pid_t pid_ = -1;
  std::optional<int> ending_;
};

}  // namespace perch::test
