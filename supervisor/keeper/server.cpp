// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/posix/unix_socket.h"
#include "supervisor/listener/claim.h"
#include "supervisor/process/overflow_ids.h"

namespace perch::keeper {
namespace {

using std::chrono::milliseconds;

constexpr int kBacklog = 64;
constexpr int kAcceptsPerTurn = 16;
// A perch, those that wait for its end, and somebody who looks.
constexpr std::size_t kMaxPeers = 16;
// So many descriptors what is kept never takes: who comes needs a connection and a sign of life.
constexpr int kReserved = 2 * static_cast<int>(kMaxPeers);
constexpr int kMessagesPerTurn = 64;
// What an owner can have said before it died: its socket's buffer holds less.
constexpr int kLastWords = 4096;
constexpr milliseconds kPause{1'000};
// A process that dies closes its connection before its pipe, and a child that it was just making
// has that until it executes.
constexpr milliseconds kDeathTakes{250};

listener::ClaimRequest claim_of(const ServerOptions& options) {
  return {.path = options.path,
          .mode = options.users.empty() ? 0600 : 0666,
          .uid = {},
          .gid = {},
          .backlog = kBacklog,
          .on_exit = config::OnExit::Unlink,
          .peercred = config::PeerCredentials::Perch,
          .socket_type = SOCK_SEQPACKET};
}

// Other files may have a poll() that hangs.
bool is_pipe(int fd) { return ::fcntl(fd, F_GETPIPE_SZ) > 0; }

bool leaves_reserve(int some_fd) {
  std::array<UniqueFd, kReserved> more;
  return std::ranges::all_of(more, [some_fd](UniqueFd& fd) {
    fd.reset(::fcntl(some_fd, F_DUPFD_CLOEXEC, 0));
    return static_cast<bool>(fd);
  });
}

constexpr const char* kNoRoom =
    "the keeper has no room for so large a message, or for its descriptors: raise its "
    "RLIMIT_NOFILE";

}  // namespace

Result<std::unique_ptr<KeepServer>> KeepServer::open(Loop& loop, Log& log, ServerOptions options) {
  auto socket =
      listener::claim_own(claim_of(options), "keeper", "choose another path with --socket");
  if (!socket) return std::unexpected(std::move(socket.error()));
  std::unique_ptr<KeepServer> server(
      new KeepServer(loop, log, std::move(options), std::move(*socket)));
  if (auto watched = server->watch(); !watched) return fail_within("keeper", watched.error());
  return server;
}

KeepServer::KeepServer(Loop& loop, Log& log, ServerOptions options, listener::Listener socket)
    : loop_(loop),
      log_(log),
      options_(std::move(options)),
      socket_(std::move(socket)),
      accept_later_(loop, [this](milliseconds) { watcher_->watch({.readable = true}); }) {}

KeepServer::~KeepServer() = default;

Result<void> KeepServer::watch() {
  auto watcher = FdWatcher::create(loop_, socket_.fd(), [this](Readiness) { on_connections(); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  watcher_ = std::move(*watcher);
  watcher_->watch({.readable = true});
  log_.info("keeper: keeps sockets at {}", options_.path);
  return {};
}

void KeepServer::on_connections() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd connection(::accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) {
      admit(std::move(connection));
      continue;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    // Without descriptors who waits stays readable: polling on would spin.
    log_.warn("keeper: {}: {}", options_.path, Error::from_errno(errno, "accept").text());
    watcher_->stop();
    accept_later_.arm(kPause);
    return;
  }
}

void KeepServer::admit(UniqueFd connection) {
  const auto who = peer_credentials(connection.get());
  if (!who) return;
  make_room();
  forget_the_dead();
  auto peer = std::make_unique<Peer>(++last_number_, *who, std::move(connection));
  auto watcher = FdWatcher::create(loop_, peer->socket.get(),
                                   [this, number = peer->number](Readiness) { hear(number); });
  if (!watcher) return log_.warn("keeper: {}", watcher.error().text());
  peer->watcher = std::move(*watcher);
  peer->watcher->watch({.readable = true});
  peers_.emplace(peer->number, std::move(peer));
}

// Who came first and says nothing goes; the owner stays.
void KeepServer::make_room() {
  if (peers_.size() < kMaxPeers) return;
  const auto oldest =
      std::ranges::find_if(peers_, [this](const auto& entry) { return entry.first != owner_; });
  if (oldest != peers_.end()) peers_.erase(oldest);
}

void KeepServer::forget_the_dead() {
  if (departed_ && !departed_->lives(milliseconds::zero())) departed_.reset();
}

void KeepServer::hear(Number number) {
  for (int i = 0; i < kMessagesPerTurn && receive_from(number); ++i) continue;
}

bool KeepServer::receive_from(Number number) {
  const auto found = peers_.find(number);
  if (found == peers_.end()) return false;
  Peer& peer = *found->second;
  auto datagram = receive_datagram(peer.socket.get());
  if (datagram) return serve(peer, std::move(*datagram));
  switch (datagram.error()) {
    case ReceiveEnd::WouldBlock:
      return false;
    case ReceiveEnd::Truncated:
      forget_the_dead();
      return say(peer, refused(kNoRoom));
    case ReceiveEnd::Closed:
    case ReceiveEnd::Failed:
      break;
  }
  end(number);
  return false;
}

bool KeepServer::serve(Peer& peer, Datagram datagram) {
  using What = Request::What;
  // An answer before it has spoken would be lost to it: what lies unread here resets the
  // connection.
  if (const std::string why = why_not_let_in(peer); !why.empty()) return refuse_and_end(peer, why);
  const auto request = parse_request(datagram.payload, datagram.fds.size());
  if (!request) return refuse_unknown(peer);
  if (request->what == What::Hello) return greet(peer, std::move(datagram.fds.front()));
  if (peer.number != owner_) return refuse_unknown(peer);
  switch (request->what) {
    case What::Hello:
      break;
    case What::Fetch:
      return hand_next(peer, request->key);
    case What::Keep:
      return keep(peer, *request, std::move(datagram));
    case What::Drop:
      store_.drop(request->key);
      return say(peer, dropped(request->key));
    case What::Bye:
      peer.took_leave = true;
      end(peer.number);
      return false;
  }
  return true;
}

std::string KeepServer::why_not_let_in(const Peer& peer) const {
  const uid_t uid = peer.who.uid;
  const bool known = uid == ::geteuid() || options_.users.contains(uid);
  const bool nobody_known = process::is_nobody_known(uid);
  if (uid == 0 || (known && !nobody_known)) return {};
  const std::string id = std::to_string(uid);
  if (nobody_known) {
    return "uid " + id + " stands for all who have no id in the keeper's user namespace, and any " +
           "of them could come: run both in the same one";
  }
  return "uid " + id + " may not use this keeper: let it in with perch keep --user " + id;
}

bool KeepServer::greet(Peer& peer, UniqueFd life) {
  if (!is_pipe(life.get())) return refuse_unknown(peer);
  peer.life = std::move(life);
  if (const std::string owner = owner_but(peer); !owner.empty()) {
    return refuse_and_end(peer, "it serves " + owner +
                                    ", which lives: end that one, or give this one another keeper");
  }
  owner_ = peer.number;
  departed_.reset();
  return say(peer, welcome(options_.place == Place::Apart));
}

// The order of a death and of the next one's hello is that of the sockets' news, not of ours.
std::string KeepServer::owner_but(const Peer& peer) {
  if (owner_ == peer.number) return {};
  for (int i = 0; i < kLastWords && receive_from(owner_); ++i) continue;
  if (owner_ != 0) return peers_.at(owner_)->name();
  if (!departed_ || departed_->is_same_process(peer)) return {};
  const auto patience = std::exchange(death_takes_, milliseconds::zero());
  return departed_->lives(patience) ? departed_->name() : "";
}

// Who waits for a live owner of its paths comes and goes ten times a second, and keeps nothing yet.
bool KeepServer::keep(Peer& peer, const Request& request, Datagram datagram) {
  if (!std::exchange(peer.introduced, true)) {
    log_.info("keeper: {} has come; {} listener(s) were kept for it", peer.name(), store_.size());
  }
  if (!store_.has(request.key) && !leaves_reserve(peer.socket.get()))
    return say(peer, refused(kNoRoom));
  const auto taken =
      store_.keep(request.key, {.facts = request.facts, .fds = std::move(datagram.fds)});
  return say(peer, taken ? kept(request.key) : refused(taken.error().text()));
}

bool KeepServer::hand_next(const Peer& peer, const std::string& after) {
  const Store::Entry* const next = store_.after(after);
  if (next == nullptr) return say(peer, keeper::end());
  std::vector<int> fds;
  for (const UniqueFd& fd : next->second.fds) fds.push_back(fd.get());
  return say(peer, kept(next->first, next->second.facts), fds);
}

// Who does not read its answers has no use for them.
bool KeepServer::say(const Peer& peer, const std::string& text, std::span<const int> fds) {
  const auto sent = send_datagram(peer.socket.get(), text, fds);
  if (sent) return true;
  log_.warn("keeper: {}: {}", peer.name(), sent.error().text());
  end(peer.number);
  return false;
}

bool KeepServer::refuse_and_end(const Peer& peer, const std::string& why) {
  log_.warn("keeper: {} is refused: {}", peer.name(), why);
  [[maybe_unused]] const auto told = send_datagram(peer.socket.get(), refused(why));
  end(peer.number);
  return false;
}

bool KeepServer::refuse_unknown(const Peer& peer) {
  return refuse_and_end(peer, "no perch of the keeper's version says that: run the same one");
}

// It may be in the middle of a call of its watcher.
void KeepServer::end(Number number) {
  auto peer = peers_.extract(number);
  if (peer.empty() || number != owner_) return;
  owner_ = 0;
  if (peer.mapped()->introduced) {
    log_.info("keeper: {} is gone; {} listener(s) are kept for the next", peer.mapped()->name(),
              store_.size());
  }
  if (peer.mapped()->took_leave) return;
  death_takes_ = kDeathTakes;
  departed_ = std::move(peer.mapped());
  departed_->watcher.reset();
  departed_->socket.reset();
}

}  // namespace perch::keeper
