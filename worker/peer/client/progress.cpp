// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "common/value/human.h"
#include "worker/peer/client/terminal.h"

namespace perch::peer {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRedraw{100};
constexpr milliseconds kLine{5'000};
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

Progress::Progress(Verbosity verbosity)
    : verbosity_(verbosity),
      terminal_(columns_of(STDERR_FILENO).has_value()),
      started_(Clock::now()),
      next_(started_ + (terminal_ ? kRedraw : kLine)),
      speed_(started_) {}

void Progress::set(std::uint64_t received, std::uint64_t length) {
  view_.received = received;
  view_.length = length;
  speed_.add(Clock::now(), received);
  tick();
}

void Progress::tick() {
  const auto now = Clock::now();
  if (verbosity_ == Verbosity::Quiet || view_.length == 0 || now < next_) return;
  view_.speed = speed_.at(now);
  next_ = now + (terminal_ ? kRedraw : kLine);
  if (!terminal_) return say(progress_line(view_) + "\n");
  // The last column stays free: a terminal may go to the next line from there.
  const std::size_t columns = columns_of(STDERR_FILENO).value_or(kUsualColumns) - 1;
  say(kClearLine + progress_bar(view_, columns));
  drawn_ = true;
}

void Progress::note(const std::string& text) {
  if (verbosity_ == Verbosity::Quiet) return;
  clear();
  say(text + "\n");
}

void Progress::conclude(const std::string& name) {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  const double speed = static_cast<double>(view_.received) / (seconds + 1e-3);
  note(fmt::format("{}: {} in {}, {}/s", name, human_bytes(view_.received), human_duration(seconds),
                   human_bytes(static_cast<std::uint64_t>(speed))));
}

void Progress::clear() {
  if (drawn_) say(kClearLine);
  drawn_ = false;
}

}  // namespace perch::peer
