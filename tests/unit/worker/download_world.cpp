// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/worker/download_world.h"

#include <stdexcept>

#include "worker/peer/store/task_id.h"

namespace perch::test {
namespace {

using std::chrono::steady_clock;

peer::Store open_store(const std::string& directory) {
  auto store = peer::Store::open(directory, {"boot", {}});
  if (!store) throw std::runtime_error(store.error().text());
  return std::move(*store);
}

}  // namespace

DownloadCaller::DownloadCaller(peer::Downloads& downloads, peer::DownloadSpec spec)
    : digest_(spec.digest), download_(downloads.join(std::move(spec)).value()) {
  download_->subscribe(*this);
}

bool DownloadCaller::ended() const {
  if (download_->failure()) return true;
  return download_->complete() &&
         (!digest_ || download_->verdict(*digest_) != peer::Download::Verdict::Pending);
}

std::optional<peer::Failure::Kind> DownloadCaller::failure() const {
  if (download_->failure()) return download_->failure()->kind;
  const bool wrong = digest_ && download_->verdict(*digest_) == peer::Download::Verdict::Wrong;
  return wrong ? std::optional(peer::Failure::Kind::DataLoss) : std::nullopt;
}

std::string DownloadCaller::sha256() const {
  return sha256_of("/proc/self/fd/" + std::to_string(download_->files().data_fd()));
}

std::uint64_t DownloadCaller::bytes_stored() const {
  std::uint64_t bytes = 0;
  if (!download_->known()) return bytes;
  const auto& files = download_->files();
  for (std::uint32_t number = 0; number < files.layout().count(); ++number) {
    bytes += files.bytes_done(number);
  }
  return bytes;
}

DownloadWorld::Life::Life(const std::string& directory, const peer::DownloadOptions& options)
    : store(open_store(directory)), downloads(loop, store, options) {}

DownloadWorld::DownloadWorld(peer::DownloadOptions options) : options_(std::move(options)) {
  restart();
}

void DownloadWorld::restart() {
  life_.reset();  // its lock on the store first
  life_ = std::make_unique<Life>(path("store"), options_);
}

peer::DownloadSpec DownloadWorld::spec(const std::string& url, const std::string& digest) {
  peer::DownloadSpec spec;
  spec.id = peer::task_id({url, {}, {}, {}, {}, {}});
  spec.origin.url = url;
  spec.piece_length = kTestPiece;
  if (!digest.empty()) spec.digest = peer::Digest::parse(digest).value();
  return spec;
}

std::unique_ptr<DownloadCaller> DownloadWorld::join(const std::string& url,
                                                    const std::string& digest) {
  return std::make_unique<DownloadCaller>(life_->downloads, spec(url, digest));
}

std::unique_ptr<DownloadCaller> DownloadWorld::get(const std::string& url,
                                                   const std::string& digest) {
  auto caller = join(url, digest);
  if (!run_until([&] { return caller->ended(); })) {
    throw std::runtime_error("the download of " + url + " does not end");
  }
  return caller;
}

bool DownloadWorld::run_until(const std::function<bool()>& holds) {
  const auto deadline = steady_clock::now() + kPatience;
  Timer tick(life_->loop, [](auto) {});
  while (!holds()) {
    if (steady_clock::now() >= deadline) return false;
    tick.arm(std::chrono::milliseconds(5));
    life_->loop.run_once();
  }
  return true;
}

}  // namespace perch::test
