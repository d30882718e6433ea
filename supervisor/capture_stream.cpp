// SPDX-License-Identifier: Apache-2.0
#include "supervisor/capture_stream.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace perch {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr std::size_t kChunk = 16U << 10U;
constexpr int kChunksPerTurn = 4;
// Lines are written together up to this size, and the one that exceeds it.
constexpr std::size_t kBatch = 32U << 10U;
// Kept free for drain(), which cannot wait: the usual capacity of a pipe (pipe(7)).
constexpr std::size_t kDrainReserve = 64U << 10U;
constexpr std::size_t kRoomForOne = kDrainReserve + kBatch + LineShaper::kLongestRecord;
static_assert(kRoomForOne <= NonBlockingWriter::kCapacity);
// The largest capacity a pipe may be given (/proc/sys/fs/pipe-max-size), in chunks: a child that
// goes on writing must not keep drain() busy.
constexpr int kChunksPerDrain = 64;
constexpr milliseconds kRetry{5};

}  // namespace

Result<std::unique_ptr<CaptureStream>> CaptureStream::create(Loop& loop, UniqueFd pipe,
                                                             NonBlockingWriter& to,
                                                             LineShaper shaper,
                                                             milliseconds patience,
                                                             std::function<void()> on_dropped) {
  std::unique_ptr<CaptureStream> stream(new CaptureStream(
      loop, std::move(pipe), to, std::move(shaper), patience, std::move(on_dropped)));
  auto watcher = FdWatcher::create(loop, stream->pipe_.get(),
                                   [raw = stream.get()](Readiness) { raw->on_readable(); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  stream->watcher_ = std::move(*watcher);
  stream->watcher_->watch({.readable = true});
  return stream;
}

CaptureStream::CaptureStream(Loop& loop, UniqueFd pipe, NonBlockingWriter& to, LineShaper shaper,
                             milliseconds patience, std::function<void()> on_dropped)
    : pipe_(std::move(pipe)),
      to_(to),
      shaper_(std::move(shaper)),
      patience_(patience),
      on_dropped_(std::move(on_dropped)),
      retry_(loop, [this](milliseconds) { on_retry(); }) {}

void CaptureStream::on_readable() {
  for (int i = 0; i < kChunksPerTurn; ++i) {
    if (!read_chunk() || !write_held()) return;
  }
}

// Into held_, which is empty; false when there is nothing more for now or for ever.
bool CaptureStream::read_chunk() {
  std::array<char, kChunk> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read fills it
  ssize_t got = -1;
  do {
    got = ::read(pipe_.get(), chunk.data(), chunk.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return false;
  if (got <= 0) {
    watcher_->stop();
    return false;
  }
  held_.assign(chunk.data(), static_cast<std::size_t>(got));
  tail_.add(held_);
  return true;
}

// False: some is held until there is room.
bool CaptureStream::write_held() {
  while (!held_.empty()) {
    if (has_room()) {
      reader_ = Reader::Reads;
    } else if (reader_ == Reader::Reads) {
      wait_for_room();
      return false;
    }
    write_batch();
  }
  return true;
}

bool CaptureStream::has_room() const { return to_.room() >= kRoomForOne; }

void CaptureStream::wait_for_room() {
  watcher_->stop();
  give_up_at_ = steady_clock::now() + patience_;
  retry_.arm(kRetry);
}

void CaptureStream::on_retry() {
  to_.flush();
  if (!has_room()) {
    if (steady_clock::now() < give_up_at_) return retry_.arm(kRetry);
    reader_ = Reader::GivenUp;
  }
  if (write_held()) watcher_->watch({.readable = true});
}

void CaptureStream::write_batch() {
  const std::uint64_t dropped = shaper_.dropped();
  const auto now = system_clock::now();
  std::string_view rest(held_);
  std::string batch;
  while (!rest.empty() && batch.size() < kBatch) shaper_.take(rest, now, batch);
  held_.erase(0, held_.size() - rest.size());
  if (held_.empty()) std::string().swap(held_);
  write(batch);
  if (shaper_.dropped() != dropped) on_dropped_();
}

void CaptureStream::write(const std::string& batch) {
  if (!batch.empty() && !to_.write(batch)) lost_bytes_ += batch.size();
}

void CaptureStream::drain() {
  for (int i = 0; i < kChunksPerDrain; ++i) {
    while (!held_.empty()) write_batch();
    if (!read_chunk()) return;
  }
  while (!held_.empty()) write_batch();
}

void CaptureStream::finish() {
  drain();
  std::string last;
  shaper_.finish(system_clock::now(), last);
  write(last);
}

}  // namespace perch
