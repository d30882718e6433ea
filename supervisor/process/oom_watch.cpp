// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/oom_watch.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "common/loop/fd_watcher.h"
#include "common/loop/timer.h"
#include "common/value/unique_fd.h"
#include "supervisor/process/cgroup_event.h"

namespace perch::process {
namespace {

using std::chrono::milliseconds;

// With version 1 the first look came before the kill was counted in 27 of 30 trials (Linux 6.18). A
// console that is slow to print the kernel's report holds the kill up.
constexpr std::array kLaterLooks{milliseconds(100), milliseconds(900)};

Result<UniqueFd> open_event(const MemoryCgroup& cgroup) {
  switch (cgroup.version) {
    case CgroupVersion::None:
      return refuse("no memory cgroup is visible");
    case CgroupVersion::V1:
      return register_cgroup_event(cgroup.directory, "memory.oom_control");
    case CgroupVersion::V2:
      return watch_cgroup_file(cgroup.directory + "/memory.events");
  }
  return refuse("unknown cgroup version");
}

}  // namespace

class OomWatch::State {
 public:
  State(UniqueFd event, std::span<const milliseconds> looks, Callback on_news)
      : event_(std::move(event)), looks_(looks), on_news_(std::move(on_news)) {}

  Result<void> start(Loop& loop) {
    timer_.emplace(loop, [this](milliseconds) { tell(); });
    auto watcher = FdWatcher::create(loop, event_.get(), [this](Readiness) { hear(); });
    if (!watcher) return std::unexpected(std::move(watcher.error()));
    watcher_.emplace(*std::move(watcher));
    watcher_->watch({.readable = true});
    return {};
  }

 private:
  void hear() {
    // What is left unread makes the descriptor readable again.
    std::array<std::byte, 4096> news;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    [[maybe_unused]] const ssize_t got = ::read(event_.get(), news.data(), news.size());
    pending_ = looks_;
    tell();
  }

  void tell() {
    if (!pending_.empty()) {
      timer_->arm(pending_.front());
      pending_ = pending_.subspan(1);
    }
    const Callback on_news = on_news_;  // it may destroy us
    on_news();
  }

  UniqueFd event_;
  std::span<const milliseconds> looks_;
  std::span<const milliseconds> pending_;
  Callback on_news_;
  std::optional<Timer> timer_;
  std::optional<FdWatcher> watcher_;
};

OomWatch::OomWatch(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
OomWatch::~OomWatch() = default;
OomWatch::OomWatch(OomWatch&&) noexcept = default;
OomWatch& OomWatch::operator=(OomWatch&&) noexcept = default;

Result<OomWatch> OomWatch::create(Loop& loop, const MemoryCgroup& cgroup, Callback on_news) {
  auto event = open_event(cgroup);
  if (!event) return fail_within("watch for OOM kills", std::move(event.error()));
  std::span<const milliseconds> looks;
  if (cgroup.version == CgroupVersion::V1) looks = kLaterLooks;
  auto state = std::make_unique<State>(*std::move(event), looks, std::move(on_news));
  auto started = state->start(loop);
  if (!started) return fail_within("watch for OOM kills", std::move(started.error()));
  return OomWatch(std::move(state));
}

}  // namespace perch::process
