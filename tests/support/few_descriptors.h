// SPDX-License-Identifier: Apache-2.0
// FewDescriptors: for as long as it lives this process can open only so many descriptors more.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>

#include "common/value/unique_fd.h"

namespace perch::test {

class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t count) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const UniqueFd next(::fcntl(0, F_DUPFD_CLOEXEC, 0));
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(next.get()) + count;
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace perch::test
