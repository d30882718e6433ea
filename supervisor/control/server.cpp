// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <list>
#include <optional>
#include <utility>
#include <variant>

#include "common/loop/fd_watcher.h"
#include "common/loop/timer.h"
#include "common/posix/unix_socket.h"
#include "supervisor/control/http_connection.h"
#include "supervisor/control/routes.h"
#include "supervisor/listener/claim.h"

namespace perch::control {
namespace {

using std::chrono::milliseconds;

constexpr int kBacklog = 128;
constexpr int kAcceptsPerTurn = 16;
// Without descriptors the waiting client stays readable: polling on would spin.
constexpr milliseconds kPause{1'000};

// The last component only: "/run/perch" in a container that has none yet.
void make_directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return;
  // Whatever is wrong with the directory, the claim will say.
  (void)::mkdir(path.substr(0, slash).c_str(), 0755);
}

Result<listener::Listener> take(const std::string& path) {
  make_directory_of(path);
  listener::Warnings unsaid;  // what a spare link or a backlog is worth does not matter here
  auto outcome = listener::claim({.path = path,
                                  .mode = 0600,
                                  .uid = {},
                                  .gid = {},
                                  .backlog = kBacklog,
                                  .on_exit = config::OnExit::Unlink},
                                 unsaid);
  if (!outcome) return fail_within("control socket", std::move(outcome.error()));
  if (const auto* owned = std::get_if<listener::Owned>(&*outcome)) {
    return refuse("control socket " + path + ": held by " + owned->by +
                  "; end that one, or choose another path with perch.control or --control");
  }
  if (const auto* refused = std::get_if<listener::Refused>(&*outcome)) {
    return refuse("control socket: " + refused->why);
  }
  return std::get<listener::Listener>(std::move(*outcome));
}

// The socket's mode says so too, but modes change. Where users are mapped, everybody without a
// mapping looks like 65534; that is no match unless perch itself is that user, and then the mode,
// which the kernel checks by the real user, stands.
bool may_ask(int socket) {
  const auto peer = peer_credentials(socket);
  return peer && (peer->uid == 0 || peer->uid == ::geteuid());
}

// A word before the door shuts, if the client takes it at once.
void turn_away(const UniqueFd& socket, const HttpReply& reply) {
  const auto bytes = to_bytes(reply, {});
  (void)::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

struct ControlServer::State {
  using Connections = std::list<std::unique_ptr<HttpConnection>>;

  State(Loop& on, listener::Listener taken, ControlTarget& asked, Limits within)
      : loop(on),
        target(asked),
        limits(within),
        listener(std::move(taken)),
        resume(on, [this](milliseconds) { listen(); }) {}

  void listen() { watcher->watch({.readable = true}); }
  void accept_some();
  void on_accept_failed(int number);
  void admit(UniqueFd socket);

  Loop& loop;
  ControlTarget& target;
  Limits limits;
  listener::Listener listener;
  std::optional<FdWatcher> watcher;
  Timer resume;
  Connections connections;
};

void ControlServer::State::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd socket(::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) return on_accept_failed(errno);
    admit(std::move(socket));
  }
}

void ControlServer::State::on_accept_failed(int number) {
  if (number == EAGAIN || number == EINTR || number == ECONNABORTED) return;
  watcher->stop();
  resume.arm(kPause);
}

void ControlServer::State::admit(UniqueFd socket) {
  if (!may_ask(socket.get())) {
    return turn_away(socket, refusal(403, "only root and perch's own user may ask"));
  }
  if (connections.size() >= limits.connections) {
    return turn_away(socket, refusal(503, "too many connections"));
  }
  const auto place = connections.emplace(connections.end());
  auto connection = HttpConnection::create(
      loop, std::move(socket), limits.time,
      [this](const HttpRequest& request) { return answer(target, request); },
      [this, place] { connections.erase(place); });
  // Out of memory in the kernel: this client is lost, the next may do better.
  if (!connection) {
    connections.erase(place);
  } else {
    *place = std::move(*connection);
  }
}

Result<std::unique_ptr<ControlServer>> ControlServer::open(Loop& loop, const std::string& path,
                                                           ControlTarget& target, Limits limits) {
  auto listener = take(path);
  if (!listener) return std::unexpected(std::move(listener.error()));
  // Ours alone: no worker shares its description.
  if (auto set = set_blocking(listener->fd(), Blocking::No); !set) {
    return fail_within("control socket " + path, std::move(set.error()));
  }
  auto state = std::make_unique<State>(loop, std::move(*listener), target, limits);
  auto watcher = FdWatcher::create(loop, state->listener.fd(),
                                   [raw = state.get()](Readiness) { raw->accept_some(); });
  if (!watcher) return fail_within("control socket " + path, std::move(watcher.error()));
  state->watcher = std::move(*watcher);
  state->listen();
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(state)));
}

ControlServer::ControlServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
ControlServer::~ControlServer() = default;

}  // namespace perch::control
