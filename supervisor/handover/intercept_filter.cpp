// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/intercept_filter.h"

#include <netinet/in.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>

#include "common/value/unique_fd.h"

namespace perch::handover {
namespace {

// A call that an architecture has not (aarch64 has no unlink) has a negative number.
constexpr std::array kNames{SCMP_SYS(bind),     SCMP_SYS(listen),   SCMP_SYS(shutdown),
                            SCMP_SYS(unlink),   SCMP_SYS(unlinkat), SCMP_SYS(rename),
                            SCMP_SYS(renameat), SCMP_SYS(renameat2)};
constexpr std::array kModes{SCMP_SYS(chmod), SCMP_SYS(fchmodat)};
// fchmodat2(2), Linux 6.6: the same number everywhere, and newer than libseccomp's tables.
constexpr int kFchmodat2 = 452;

struct Release {
  void operator()(void* context) const noexcept { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

// libseccomp answers 0 or a negative errno; the first failure stays.
class Rules {
 public:
  explicit Rules(Context context) : context_(std::move(context)) {
    if (!context_) result_ = -ENOMEM;
    step([&] { return ::seccomp_attr_set(get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW); });
  }
  // Calls of this architecture instead of our own.
  void move_to(std::uint32_t architecture) {
    step([&] { return ::seccomp_arch_add(get(), architecture); });
    step([&] { return ::seccomp_arch_remove(get(), SCMP_ARCH_NATIVE); });
  }
  void notify(int call) {
    step([&] { return ::seccomp_rule_add(get(), SCMP_ACT_NOTIFY, call, 0); });
  }
  // Where the third argument compares so.
  void notify_if(int call, scmp_compare comparison, std::uint64_t value) {
    const scmp_arg_cmp third{.arg = 2, .op = comparison, .datum_a = value, .datum_b = 0};
    step([&] { return ::seccomp_rule_add_array(get(), SCMP_ACT_NOTIFY, call, 1, &third); });
  }
  void merge(Rules other) {
    if (result_ == 0) result_ = other.result_;
    step([&] { return ::seccomp_merge(get(), other.get()); });
    if (result_ != 0) return;
    [[maybe_unused]] void* const ours_now = other.context_.release();
  }
  void export_to(int file) {
    step([&] { return ::seccomp_export_bpf(get(), file); });
  }
  [[nodiscard]] int result() const noexcept { return result_; }

 private:
  [[nodiscard]] scmp_filter_ctx get() const noexcept { return context_.get(); }
  template <class Act>
  void step(Act act) {
    if (result_ == 0) result_ = act();
  }

  Context context_;
  int result_ = 0;
};

Rules empty_rules() { return Rules(Context(::seccomp_init(SCMP_ACT_ALLOW))); }

// Programs count the terminator or not, and may name the path from any directory above it.
bool may_have_length(const std::string& path, std::size_t length) {
  std::size_t start = 0;
  while (true) {
    const std::size_t bare = offsetof(sockaddr_un, sun_path) + path.size() - start;
    if (length == bare || length == bare + 1) return true;
    const std::size_t slash = path.find('/', start);
    if (slash == std::string::npos) return false;
    start = slash + 1;
  }
}

// Could it be a probe of one of our listeners, given its address' length?
bool is_length_of_ours(const FilterPlan& plan, std::size_t length) {
  return std::ranges::any_of(
      plan.paths, [&](const std::string& path) { return may_have_length(path, length); });
}

// Addresses of the lengths that TCP's have are stopped only where a listener's path gives the same
// length, so that a busy TCP client need not wait for perch.
void notify_connects(const FilterPlan& plan, Rules& rules) {
  constexpr std::size_t kShort = sizeof(sockaddr_in);
  constexpr std::size_t kLong = sizeof(sockaddr_in6);
  rules.notify_if(SCMP_SYS(connect), SCMP_CMP_LT, kShort);
  rules.notify_if(SCMP_SYS(connect), SCMP_CMP_GT, kLong);
  for (std::size_t length = kShort; length <= kLong; ++length) {
    const bool is_internet = length == kShort || length == kLong;
    if (is_internet && !is_length_of_ours(plan, length)) continue;
    rules.notify_if(SCMP_SYS(connect), SCMP_CMP_EQ, length);
  }
}

void notify_all(std::span<const int> calls, Rules& rules) {
  for (const int call : calls) {
    if (call >= 0) rules.notify(call);
  }
}

Rules native_rules(const FilterPlan& plan) {
  Rules rules = empty_rules();
  notify_all(kNames, rules);
  if (plan.probe_guard) notify_connects(plan, rules);
  if (!plan.mode_guard) return rules;
  notify_all(kModes, rules);
  rules.notify(kFchmodat2);
  return rules;
}

// libseccomp stops both ways of a socket call here, the direct one and socketcall(2), whose
// arguments lie in memory where a filter cannot see them. So all connects are stopped.
Rules i386_rules(const FilterPlan& plan) {
  Rules rules = empty_rules();
  rules.move_to(SCMP_ARCH_X86);
  notify_all(kNames, rules);
  if (plan.probe_guard) rules.notify(SCMP_SYS(connect));
  if (plan.mode_guard) notify_all(kModes, rules);
  return rules;
}

Result<std::vector<sock_filter>> exported(Rules& rules) {
  // libseccomp 2.5 writes to files alone.
  const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return fail("memfd_create");
  rules.export_to(file.get());
  if (rules.result() != 0) return fail("libseccomp", -rules.result());
  struct stat written{};
  if (::fstat(file.get(), &written) != 0) return fail("fstat");
  std::vector<sock_filter> program(static_cast<std::size_t>(written.st_size) / sizeof(sock_filter));
  const std::size_t size = program.size() * sizeof(sock_filter);
  const ssize_t got = ::pread(file.get(), program.data(), size, 0);
  if (got < 0 || static_cast<std::size_t>(got) != size) return fail("read the filter back");
  return program;
}

}  // namespace

Result<InterceptFilter> InterceptFilter::build(const FilterPlan& plan) {
  // Without libseccomp's own look at the kernel, which a container may forbid: the spawn tells what
  // is refused, and why.
  constexpr unsigned kWithNotifications = 5;
  ::seccomp_api_set(kWithNotifications);
  Rules rules = native_rules(plan);
  if (::seccomp_arch_native() == SCMP_ARCH_X86_64) rules.merge(i386_rules(plan));
  auto program = exported(rules);
  if (!program) {
    return fail_within("intercept: make the seccomp filter", std::move(program.error()));
  }
  return InterceptFilter(std::move(*program));
}

}  // namespace perch::handover
