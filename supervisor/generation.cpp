// SPDX-License-Identifier: Apache-2.0
#include "supervisor/generation.h"

#include "supervisor/handover/prepare.h"
#include "supervisor/process/spawn_remedy.h"

namespace perch {
namespace {

constexpr int kCannotBeRun = 126;

std::optional<int> shell_code_of(const process::SpawnFailure& failure) {
  if (failure.stage == process::Stage::Clone) return std::nullopt;
  const bool not_found = failure.stage == process::Stage::Exec &&
                         (failure.error == ENOENT || failure.error == ENOTDIR);
  return not_found ? 127 : kCannotBeRun;
}

CaptureSettings capture_settings(const config::WorkerConfig& config) {
  return {config.capture_format, config.capture_rate};
}

using NotifySocketPtr = std::unique_ptr<handover::NotifySocket>;

Result<NotifySocketPtr> open_notify_socket(RuntimeDirectory& runtime, uid_t worker,
                                           const Generation::OnMessage& on_message) {
  const auto open = [&](const std::string& path) {
    return handover::NotifySocket::open(path, worker, on_message);
  };
  if (auto usual = open(runtime.next_socket_name())) return usual;
  if (auto elsewhere = open(runtime.next_name_elsewhere())) return elsewhere;
  return open(runtime.next_abstract_name());
}

std::string why_not(const process::SpawnFailure& failure) {
  const std::string remedy = process::spawn_remedy(failure);
  return failure.text() + (remedy.empty() ? "" : "; " + remedy);
}

handover::InterceptTarget target_of(const std::string& name, const listener::Listener& listener,
                                    bool mode_is_set) {
  handover::InterceptTarget target{
      .name = name,
      .fd = listener.fd(),
      .path = listener.path(),
      .directory = {},
      .basename = {},
      .mode_is_set = mode_is_set,
      .worker_listens = listener.parts().request.peercred == config::PeerCredentials::Worker};
  const auto& directory = listener.parts().directory;
  if (!directory) return target;
  target.directory = listener::file_id(directory->fd()).value_or(handover::DirectoryId{});
  target.basename = directory->basename();
  return target;
}

}  // namespace

std::vector<handover::NamedFd> Generation::named_listeners(const Launch& launch) const {
  std::vector<handover::NamedFd> named;
  named.reserve(listeners_.size());
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    named.push_back({launch.config.listeners[i], listeners_[i]->fd()});
  }
  return named;
}

handover::InterceptSettings Generation::intercept_settings(const Launch& launch) const {
  handover::InterceptSettings settings{.targets = {},
                                       .probe_guard = launch.config.probe_guard,
                                       .tcp_reuse_address = launch.config.tcp_reuse_address};
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const std::string& name = launch.config.listeners[i];
    settings.targets.push_back(target_of(name, *listeners_[i], launch.with_mode.contains(name)));
  }
  return settings;
}

std::expected<Generation::Born, Generation::Stillborn> Generation::spawn(
    const Stage& stage, Plan plan, const OnMessage& on_message) {
  std::unique_ptr<Generation> generation(new Generation(plan.life.generation));
  generation->listeners_ = std::move(plan.listeners);
  auto ends = generation->open_lines(stage, plan, on_message);
  if (!ends) return std::unexpected(Stillborn{ends.error().text(), std::nullopt});
  auto child = stage.spawner.spawn(generation->request(stage, plan, *ends));
  if (!child) {
    return std::unexpected(Stillborn{why_not(child.error()), shell_code_of(child.error()),
                                     child.error().stage == process::Stage::Cgroup});
  }
  generation->pid = child->pid;
  generation->session = child->pid;
  generation->calls_ = std::move(child->notify);
  return Born{std::move(generation), std::move(child->pidfd)};
}

Result<Generation::ChildEnds> Generation::open_lines(const Stage& stage, const Plan& plan,
                                                     const OnMessage& on_message) {
  ChildEnds ends;
  const config::HandoverWay way = plan.launch.config.handover;
  for (const SharedListener& listener : listeners_) {
    if (auto restored = handover::restore_description(listener->fd(), way); !restored) {
      return std::unexpected(std::move(restored.error()));
    }
  }
  if (way == config::HandoverWay::Channel) {
    auto pair = handover::Channel::open(stage.loop, named_listeners(plan.launch), on_message);
    if (!pair) return std::unexpected(std::move(pair.error()));
    channel_ = std::move(pair->ours);
    ends.channel = std::move(pair->workers);
  } else {
    auto notify = open_notify_socket(stage.runtime, plan.launch.uid, on_message);
    if (!notify) return std::unexpected(std::move(notify.error()));
    notify_ = std::move(*notify);
  }
  if (plan.launch.config.capture) {
    auto capture = OutputCapture::create(stage.loop, {stage.out, stage.err, stage.log},
                                         {plan.life.worker, plan.life.generation},
                                         capture_settings(plan.launch.config));
    if (!capture) return std::unexpected(std::move(capture.error()));
    capture_ = std::move(*capture);
    ends.output = capture_->take_write_ends();
  }
  return ends;
}

process::SpawnRequest Generation::request(const Stage& stage, const Plan& plan,
                                          const ChildEnds& ends) const {
  process::SpawnRequest request = request_of(plan.launch, plan.life);
  request.cgroup = plan.cgroup;
  request.fds = {stage.dev_null, 1, 2};
  if (capture_) request.fds = {stage.dev_null, ends.output.out.get(), ends.output.err.get()};
  if (notify_) request.environment.push_back("NOTIFY_SOCKET=" + notify_->path());
  handover::prepare(plan.launch.config.handover, named_listeners(plan.launch), ends.channel.get(),
                    request);
  return request;
}

std::expected<void, Generation::Stillborn> Generation::listen(
    Loop& loop, const Launch& launch, handover::Interceptor::Callbacks callbacks) {
  if (calls_) {
    auto serving = handover::Interceptor::serve(loop, std::move(calls_), pid,
                                                intercept_settings(launch), std::move(callbacks));
    if (!serving) return std::unexpected(Stillborn{serving.error().text(), kCannotBeRun});
    interceptor_ = std::move(*serving);
  }
  const auto watched = notify_ ? notify_->watch(loop) : Result<void>();
  if (!watched) return std::unexpected(Stillborn{watched.error().text(), std::nullopt});
  return {};
}

void Generation::answer_calls() {
  if (interceptor_) interceptor_->drain();
}

void Generation::drain() {
  if (channel_) channel_->drain();
  if (notify_) notify_->drain();
  if (capture_) capture_->drain();
}

Result<void> Generation::rehand(const Launch& launch, std::vector<SharedListener> listeners) {
  PERCH_CHECK(channel_);
  for (const SharedListener& listener : listeners) {
    auto restored = handover::restore_description(listener->fd(), launch.config.handover);
    if (!restored) return restored;
  }
  // The old ones live until the channel has let go of their descriptors.
  listeners_.swap(listeners);
  return channel_->replace(named_listeners(launch));
}

void Generation::retarget(const Launch& launch, std::vector<SharedListener> listeners) {
  if (!interceptor_) return;
  listeners_.swap(listeners);
  interceptor_->replace(intercept_settings(launch).targets);
}

bool Generation::ask_to_drain(std::chrono::microseconds within) {
  return can_drain() && channel_->ask_to_drain(within).has_value();
}

void Generation::adjust_capture(const config::WorkerConfig& config) {
  if (capture_) capture_->set(capture_settings(config));
}

std::vector<std::string> Generation::stderr_tail() const {
  return capture_ ? capture_->tail() : std::vector<std::string>{};
}

}  // namespace perch
