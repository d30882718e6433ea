// SPDX-License-Identifier: Apache-2.0
#include "supervisor/output_capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "common/loop/fd_watcher.h"
#include "common/loop/timer.h"
#include "common/posix/unix_socket.h"
#include "supervisor/line_tail.h"

namespace perch {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kChunk = 16U << 10U;
constexpr int kChunksPerTurn = 4;
// Kept free for drain(), which cannot wait: the usual capacity of a pipe (pipe(7)).
constexpr std::size_t kDrainReserve = 64U << 10U;
// The largest capacity a pipe may be given (/proc/sys/fs/pipe-max-size), in chunks: a child that
// goes on writing must not keep drain() busy.
constexpr int kChunksPerDrain = 64;
constexpr milliseconds kRetry{5};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("pipe2");
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  // The two ends are two descriptions: the child's stays blocking.
  if (auto set = set_blocking(pipe.read.get(), Blocking::No); !set) {
    return std::unexpected(std::move(set.error()));
  }
  return pipe;
}

}  // namespace

// One pipe on its way to one writer.
class OutputCapture::Stream {
 public:
  static Result<std::unique_ptr<Stream>> create(Loop& loop, UniqueFd pipe, NonBlockingWriter& to,
                                                milliseconds patience) {
    std::unique_ptr<Stream> stream(new Stream(loop, std::move(pipe), to, patience));
    auto watcher = FdWatcher::create(loop, stream->pipe_.get(),
                                     [raw = stream.get()](Readiness) { raw->on_readable(); });
    if (!watcher) return std::unexpected(std::move(watcher.error()));
    stream->watcher_ = std::move(*watcher);
    stream->watcher_->watch({.readable = true});
    return stream;
  }

  void drain() {
    for (int i = 0; i < kChunksPerDrain && pass_on(); ++i) continue;
  }
  [[nodiscard]] const LineTail& tail() const noexcept { return tail_; }
  [[nodiscard]] std::uint64_t lost_bytes() const noexcept { return lost_bytes_; }

 private:
  enum class Reader { Reads, GivenUp };

  Stream(Loop& loop, UniqueFd pipe, NonBlockingWriter& to, milliseconds patience)
      : pipe_(std::move(pipe)),
        to_(to),
        patience_(patience),
        retry_(loop, [this](milliseconds) { on_retry(); }) {}

  void on_readable() {
    for (int i = 0; i < kChunksPerTurn; ++i) {
      if (has_room()) {
        reader_ = Reader::Reads;
      } else if (reader_ == Reader::Reads) {
        return wait_for_room();
      }
      if (!pass_on()) return;
    }
  }

  [[nodiscard]] bool has_room() const { return to_.room() >= kDrainReserve + kChunk; }

  void wait_for_room() {
    watcher_->stop();
    give_up_at_ = steady_clock::now() + patience_;
    retry_.arm(kRetry);
  }

  void on_retry() {
    to_.flush();
    if (has_room()) return watcher_->watch({.readable = true});
    if (steady_clock::now() < give_up_at_) return retry_.arm(kRetry);
    reader_ = Reader::GivenUp;
    watcher_->watch({.readable = true});
  }

  // One read; false when there is nothing more for now or for ever.
  bool pass_on() {
    std::array<char, kChunk>
        chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read fills it
    const ssize_t got = ::read(pipe_.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) return true;
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
      watcher_->stop();
      return false;
    }
    const std::string_view text(chunk.data(), static_cast<std::size_t>(got));
    tail_.add(text);
    if (!to_.write(text)) lost_bytes_ += text.size();
    return true;
  }

  UniqueFd pipe_;
  NonBlockingWriter& to_;
  milliseconds patience_;
  std::optional<FdWatcher> watcher_;
  Timer retry_;
  steady_clock::time_point give_up_at_;
  Reader reader_ = Reader::Reads;
  LineTail tail_;
  std::uint64_t lost_bytes_ = 0;
};

Result<std::unique_ptr<OutputCapture>> OutputCapture::create(Loop& loop, NonBlockingWriter& out,
                                                             NonBlockingWriter& err,
                                                             milliseconds patience) {
  auto out_pipe = make_pipe();
  if (!out_pipe) return std::unexpected(std::move(out_pipe.error()));
  auto err_pipe = make_pipe();
  if (!err_pipe) return std::unexpected(std::move(err_pipe.error()));
  auto out_stream = Stream::create(loop, std::move(out_pipe->read), out, patience);
  if (!out_stream) return std::unexpected(std::move(out_stream.error()));
  auto err_stream = Stream::create(loop, std::move(err_pipe->read), err, patience);
  if (!err_stream) return std::unexpected(std::move(err_stream.error()));
  WriteEnds ends{std::move(out_pipe->write), std::move(err_pipe->write)};
  return std::unique_ptr<OutputCapture>(
      new OutputCapture(std::move(ends), std::move(*out_stream), std::move(*err_stream)));
}

OutputCapture::OutputCapture(WriteEnds write_ends, std::unique_ptr<Stream> out,
                             std::unique_ptr<Stream> err)
    : write_ends_(std::move(write_ends)), out_(std::move(out)), err_(std::move(err)) {}

OutputCapture::~OutputCapture() { drain(); }

void OutputCapture::drain() {
  out_->drain();
  err_->drain();
}

std::vector<std::string> OutputCapture::tail() const { return err_->tail().lines(); }

std::uint64_t OutputCapture::lost_bytes() const { return out_->lost_bytes() + err_->lost_bytes(); }

}  // namespace perch
