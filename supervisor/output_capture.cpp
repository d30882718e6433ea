// SPDX-License-Identifier: Apache-2.0
#include "supervisor/output_capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "common/posix/unix_socket.h"

namespace perch {
namespace {

using std::chrono::milliseconds;

// The log hears of dropped lines no more often.
constexpr std::chrono::seconds kTellAfter{1};

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

Result<std::unique_ptr<OutputCapture>> OutputCapture::create(Loop& loop, const Destination& to,
                                                             const Source& from,
                                                             CaptureSettings settings,
                                                             milliseconds patience) {
  std::unique_ptr<OutputCapture> capture(new OutputCapture(loop, to, from, settings));
  const auto open = [&](std::string_view name, NonBlockingWriter& writer,
                        UniqueFd& workers) -> Result<std::unique_ptr<CaptureStream>> {
    auto pipe = make_pipe();
    if (!pipe) return std::unexpected(std::move(pipe.error()));
    workers = std::move(pipe->write);
    return CaptureStream::create(loop, std::move(pipe->read), writer,
                                 LineShaper({from.worker, from.generation, name}, settings),
                                 patience, [raw = capture.get()] { raw->on_dropped(); });
  };
  auto out = open("stdout", to.out, capture->write_ends_.out);
  if (!out) return std::unexpected(std::move(out.error()));
  auto err = open("stderr", to.err, capture->write_ends_.err);
  if (!err) return std::unexpected(std::move(err.error()));
  capture->out_ = std::move(*out);
  capture->err_ = std::move(*err);
  return capture;
}

OutputCapture::OutputCapture(Loop& loop, const Destination& to, Source from,
                             CaptureSettings settings)
    : log_(to.log),
      from_(std::move(from)),
      settings_(settings),
      tell_(loop, [this](milliseconds) { tell_dropped(); }) {}

OutputCapture::~OutputCapture() {
  if (!out_ || !err_) return;
  out_->finish();
  err_->finish();
  tell_dropped();
}

void OutputCapture::set(CaptureSettings settings) {
  tell_dropped();
  settings_ = settings;
  out_->set(settings);
  err_->set(settings);
}

void OutputCapture::drain() {
  out_->drain();
  err_->drain();
}

void OutputCapture::on_dropped() {
  if (!tell_.armed()) tell_.arm(kTellAfter);
}

void OutputCapture::tell_dropped() {
  tell_.disarm();
  const std::uint64_t dropped = out_->dropped_lines() + err_->dropped_lines();
  const std::uint64_t untold = dropped - std::exchange(told_, dropped);
  if (untold == 0) return;
  log_.warn("worker {}: {} of its output dropped (capture_rate = {})", from_.worker,
            untold == 1 ? "1 line" : fmt::format("{} lines", untold), settings_.rate);
}

std::vector<std::string> OutputCapture::tail() const { return err_->tail().lines(); }

std::uint64_t OutputCapture::lost_bytes() const { return out_->lost_bytes() + err_->lost_bytes(); }

}  // namespace perch
