// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/memory_news.h"

#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "common/loop/fd_watcher.h"
#include "supervisor/process/cgroup_event.h"

namespace perch::process {
namespace {

struct Source {
  UniqueFd fd;
  Interest interest;  // a pressure trigger is readable at any time
};
using Sources = std::vector<Source>;

Result<Sources> threshold_of(const MemoryCgroup& cgroup, std::uint64_t usage) {
  auto event =
      register_cgroup_event(cgroup.directory, "memory.usage_in_bytes", std::to_string(usage));
  if (!event) return std::unexpected(std::move(event.error()));
  Sources sources;
  sources.push_back({*std::move(event), {.readable = true}});
  return sources;
}

Result<Sources> events_of(const MemoryCgroup& cgroup) {
  auto events = watch_cgroup_file(cgroup.directory + "/memory.events");
  if (!events) return std::unexpected(std::move(events.error()));
  Sources sources;
  sources.push_back({*std::move(events), {.readable = true}});
  // Mostly refused in a container, and a kernel may have no such figures at all.
  auto pressure = watch_memory_pressure(cgroup.directory);
  if (pressure) sources.push_back({*std::move(pressure), {.prioritized = true}});
  return sources;
}

Result<Sources> open_sources(const MemoryCgroup& cgroup, std::uint64_t usage) {
  if (cgroup.is_root) return refuse("the root of a hierarchy has no limit");
  switch (cgroup.version) {
    case CgroupVersion::None:
      return refuse("no memory cgroup is visible");
    case CgroupVersion::V1:
      return threshold_of(cgroup, usage);
    case CgroupVersion::V2:
      return events_of(cgroup);
  }
  return refuse("unknown cgroup version");
}

}  // namespace

class MemoryNews::State {
 public:
  State(Reach reach, Sources sources, Callback on_news)
      : reach_(reach), sources_(std::move(sources)), on_news_(std::move(on_news)) {}

  Result<void> start(Loop& loop) {
    for (const Source& source : sources_) {
      auto watcher = FdWatcher::create(loop, source.fd.get(), [this](Readiness) { tell(); });
      if (!watcher) return std::unexpected(std::move(watcher.error()));
      watchers_.push_back(*std::move(watcher));
    }
    return {};
  }

  [[nodiscard]] Reach reach() const noexcept { return reach_; }

  void listen() {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      const Source& source = sources_[i];
      if (source.interest.readable) {
        std::array<std::byte, 4096> old;  // NOLINT(cppcoreguidelines-pro-type-member-init)
        [[maybe_unused]] const ssize_t got = ::read(source.fd.get(), old.data(), old.size());
      }
      watchers_[i].watch(source.interest);
    }
  }

 private:
  void tell() {
    for (FdWatcher& watcher : watchers_) watcher.stop();
    const Callback on_news = on_news_;  // it may destroy us
    on_news();
  }

  Reach reach_;
  Sources sources_;
  Callback on_news_;
  std::vector<FdWatcher> watchers_;
};

MemoryNews::MemoryNews(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
MemoryNews::~MemoryNews() = default;
MemoryNews::MemoryNews(MemoryNews&&) noexcept = default;
MemoryNews& MemoryNews::operator=(MemoryNews&&) noexcept = default;

Result<MemoryNews> MemoryNews::create(Loop& loop, const MemoryCgroup& cgroup, std::uint64_t usage,
                                      Callback on_news) {
  auto sources = open_sources(cgroup, usage);
  if (!sources) return fail_within("watch for memory", std::move(sources.error()));
  const Reach reach = cgroup.version == CgroupVersion::V1 ? Reach::Complete : Reach::Hints;
  auto state = std::make_unique<State>(reach, *std::move(sources), std::move(on_news));
  auto started = state->start(loop);
  if (!started) return fail_within("watch for memory", std::move(started.error()));
  return MemoryNews(std::move(state));
}

MemoryNews::Reach MemoryNews::reach() const noexcept { return state_->reach(); }
void MemoryNews::listen() { state_->listen(); }

}  // namespace perch::process
