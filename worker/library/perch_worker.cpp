// SPDX-License-Identifier: Apache-2.0
#include "worker/library/perch_worker.h"

#include <cstdlib>
#include <new>
#include <utility>

#include "worker/library/channel.h"

struct perch_worker {
  perch::worker::Channel channel;
  std::string name;  // what perch_worker_event.name points to
};

namespace {

using perch::worker::Channel;
using perch::worker::DrainRequested;
using perch::worker::ListenerArrived;
using perch::worker::ListenerRetired;
using perch::worker::SupervisorGone;

int error_number(const perch::Error& error, int without_code) {
  return error.code() ? -error.code().value() : -without_code;
}

int outcome(const perch::Result<void>& result) {
  return result ? 0 : error_number(result.error(), EINVAL);
}

// Fills a C event; the name is kept in the handle, where the event may point to it.
struct Translation {
  perch_worker& worker;
  perch_worker_event& event;

  void operator()(ListenerArrived& arrived) const {
    event.kind = PERCH_WORKER_LISTENER;
    event.fd = arrived.socket.release();
    name(std::move(arrived.name));
  }
  void operator()(ListenerRetired& retired) const {
    event.kind = PERCH_WORKER_RETIRE;
    name(std::move(retired.name));
  }
  void operator()(const DrainRequested& drain) const {
    event.kind = PERCH_WORKER_DRAIN;
    if (drain.deadline) event.deadline_usec = static_cast<uint64_t>(drain.deadline->count());
  }
  void operator()(const SupervisorGone& /*gone*/) const { event.kind = PERCH_WORKER_GONE; }

 private:
  void name(std::string text) const {
    worker.name = std::move(text);
    event.name = worker.name.c_str();
  }
};

}  // namespace

int perch_worker_open(int fd, perch_worker** worker) {
  const bool from_environment = fd == PERCH_WORKER_FROM_ENVIRONMENT;
  if (from_environment && std::getenv(perch::worker::kChannelVariable) == nullptr) return -ENOENT;
  auto channel =
      from_environment ? Channel::from_environment() : Channel::open(perch::UniqueFd(fd));
  if (!channel) return error_number(channel.error(), EINVAL);
  *worker = new (std::nothrow) perch_worker{std::move(*channel), {}};
  return *worker == nullptr ? -ENOMEM : 0;
}

void perch_worker_close(perch_worker* worker) { delete worker; }

int perch_worker_fd(const perch_worker* worker) { return worker->channel.fd(); }

int perch_worker_next_event(perch_worker* worker, perch_worker_event* event) {
  auto next = worker->channel.next_event();
  if (!next) return error_number(next.error(), EBADMSG);
  if (!next->has_value()) return 0;
  *event = {PERCH_WORKER_GONE, -1, "", 0};
  std::visit(Translation{*worker, *event}, **next);
  return 1;
}

int perch_worker_ready(perch_worker* worker) { return outcome(worker->channel.ready()); }
int perch_worker_stopping(perch_worker* worker) { return outcome(worker->channel.stopping()); }
int perch_worker_watchdog(perch_worker* worker) { return outcome(worker->channel.watchdog()); }

int perch_worker_status(perch_worker* worker, const char* text) {
  return outcome(worker->channel.status(text));
}

int perch_worker_extend_timeout(perch_worker* worker, uint64_t usec_from_now) {
  return outcome(worker->channel.extend_timeout(std::chrono::microseconds(usec_from_now)));
}
