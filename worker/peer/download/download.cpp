// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/download.h"

#include <algorithm>
#include <utility>

namespace perch::peer {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxFailuresInRow = 8;
constexpr milliseconds kFirstDelay{100};
constexpr milliseconds kMaxDelay{5000};

Failure failure_of(const Refusal& refusal) {
  using enum RefusalKind;
  switch (refusal.kind) {
    case NotFound:
      return {Failure::Kind::NotFound, refusal.reason};
    case Denied:
      return {Failure::Kind::Denied, refusal.reason};
    case Unsupported:
      return {Failure::Kind::Unsupported, refusal.reason};
    case Unavailable:
      return {Failure::Kind::Unavailable, refusal.reason};
  }
  std::unreachable();
}

bool same_file(const Manifest& stored, const OriginFacts& now) {
  const std::string validator = validator_of(stored.headers);
  return !validator.empty() && validator == validator_of(now.headers) &&
         stored.layout.length == now.length;
}

}  // namespace

// One answer on its way to the disk.
struct Download::Fetch {
  ByteRange range;
  PieceSink sink;
  Fit fit = Fit::Good;
  std::optional<Error> error;  // of the disk
  std::unique_ptr<Transfer> transfer;
};

Download::Download(const Room& room, DownloadSpec spec)
    : room_(room),
      spec_(std::move(spec)),
      step_(room.loop, [](auto) {}),
      news_(room.loop, [this](auto) { tell(); }) {}

Download::~Download() = default;

void Download::begin() {
  auto stored = room_.store.find(spec_.id);
  if (!stored) return probe();
  files_ = std::move(*stored);
  if (!files_->needs_check()) next_to_verify_ = layout().count();
  step_ = Timer(room_.loop, [this](auto) { verify_next(); });
  step_.arm(milliseconds::zero());
}

// One piece a turn: the loop stays free for others.
void Download::verify_next() {
  while (next_to_verify_ < layout().count() && !files_->done(next_to_verify_)) ++next_to_verify_;
  if (next_to_verify_ == layout().count()) {
    if (files_->needs_check()) {
      if (auto believed = files_->believe(); !believed) return fail(believed.error());
    }
    // A finished task is not asked about again: it is what its id names.
    return files_->done_count() == layout().count() ? start_fetching(true) : probe();
  }
  if (auto verified = files_->verify(next_to_verify_++); !verified) return fail(verified.error());
  step_.arm(milliseconds::zero());
}

// Asking for one byte tells length, version and whether ranges are known; a HEAD is refused by
// many that sign their URLs for GET.
void Download::probe() {
  probe_ = std::make_unique<Transfer>(
      room_.curl, spec_.origin, ByteRange{0, 1},
      Transfer::Handlers{
          .on_data =
              [](const OriginAnswer& answer, auto) {
                return answer.status == 206 ? Transfer::Next::Go : Transfer::Next::Abort;
              },
          .on_end = [this](const OriginAnswer& answer,
                           const std::string& problem) { on_probed(answer, problem); }});
}

void Download::on_probed(const OriginAnswer& answer, const std::string& problem) {
  probe_.reset();
  // An answer without a range is cut off on purpose; a problem matters where there is no answer.
  if (answer.status == 0) return try_again(problem);
  const auto facts = facts_of(answer);
  if (facts) return settle(*facts);
  if (facts.error().kind == RefusalKind::Unavailable) return try_again(facts.error().reason);
  fail(failure_of(facts.error()));
}

void Download::settle(const OriginFacts& facts) {
  failures_in_row_ = 0;
  if (files_ && same_file(files_->manifest(), facts)) return start_fetching(facts.ranges);
  const std::uint64_t piece_length = spec_.piece_length.value_or(piece_length_for(facts.length));
  const PieceLayout layout{facts.length, piece_length};
  if (!layout.possible()) {
    return fail({Failure::Kind::Unsupported, "a file of " + std::to_string(facts.length) +
                                                 " bytes has too many pieces of " +
                                                 std::to_string(piece_length)});
  }
  files_.reset();
  auto made = room_.store.create(spec_.id, {spec_.origin.url, layout, facts.headers, 1});
  if (!made) return fail(made.error());
  files_ = std::move(*made);
  start_fetching(facts.ranges);
}

void Download::start_fetching(bool origin_has_ranges) {
  ranges_ = origin_has_ranges;
  for (std::uint32_t number = 0; number < layout().count(); ++number) {
    if (files_->done(number)) finished_.push_back(number);
  }
  plan_.emplace(layout(), ranges_, [this](std::uint32_t number) { return files_->done(number); });
  known_ = true;
  step_ = Timer(room_.loop, [this](auto) { fetch_more(); });
  news_.arm(milliseconds::zero());
  fetch_more();
}

void Download::fetch_more() {
  if (step_.armed()) return;  // the origin has just failed: nobody asks it before the delay is over
  while (fetches_.size() < room_.connections) {
    const auto range = plan_->next();
    if (!range) return;
    start(*range);
  }
}

void Download::start(ByteRange range) {
  auto& fetch = *fetches_.emplace_back(std::make_unique<Fetch>(
      range, PieceSink(*files_, range, [this](std::uint32_t number) { on_piece(number); })));
  const auto asked = ranges_ ? std::optional(range) : std::nullopt;
  fetch.transfer = std::make_unique<Transfer>(
      room_.curl, spec_.origin, asked,
      Transfer::Handlers{
          .on_data = [this, &fetch](const OriginAnswer& answer,
                                    auto data) { return on_data(fetch, answer, data); },
          .on_end = [this, &fetch](
                        const OriginAnswer& answer,
                        const std::string& problem) { on_fetched(fetch, answer, problem); }});
}

// Inside curl: only notes what it sees, on_fetched() decides.
Transfer::Next Download::on_data(Fetch& fetch, const OriginAnswer& answer,
                                 std::span<const std::byte> data) {
  const auto asked = ranges_ ? std::optional(fetch.range) : std::nullopt;
  fetch.fit = fit_of(answer, files_->manifest(), asked);
  if (fetch.fit != Fit::Good) return Transfer::Next::Abort;
  auto put = fetch.sink.put(data);
  if (put) return Transfer::Next::Go;
  fetch.error.emplace(std::move(put.error()));
  return Transfer::Next::Abort;
}

void Download::on_fetched(Fetch& fetch, const OriginAnswer& answer, const std::string& problem) {
  const auto ended = std::ranges::find_if(fetches_, [&](auto& f) { return f.get() == &fetch; });
  const std::unique_ptr<Fetch> last = std::move(*ended);
  fetches_.erase(ended);
  if (last->error) return fail(*last->error);
  if (last->sink.full()) return fetch_more();
  if (last->fit == Fit::Changed || answer.status == 416) {
    return fail({Failure::Kind::Changed, "the file changed at the origin during the download"});
  }
  plan_->give_back(last->range);
  const bool served = answer.status == 200 || answer.status == 206;
  if (answer.status == 0 || served) {
    if (last->fit == Fit::Refused)
      return try_again("the origin sends another range than asked for");
    return try_again(problem.empty() ? "the origin sends less than was asked for" : problem);
  }
  const Refusal refusal = refusal_of(answer.status);
  if (refusal.kind == RefusalKind::Unavailable) return try_again(refusal.reason);
  fail(failure_of(refusal));
}

void Download::on_piece(std::uint32_t number) {
  failures_in_row_ = 0;
  finished_.push_back(number);
  if (complete()) {
    if (auto marked = files_->mark_finished(""); !marked) return fail(marked.error());
  }
  news_.arm(milliseconds::zero());
}

void Download::try_again(std::string reason) {
  if (failures_in_row_ >= kMaxFailuresInRow) {
    return fail({Failure::Kind::Unavailable, std::move(reason)});
  }
  const auto delay = std::min(kMaxDelay, kFirstDelay * (1 << failures_in_row_));
  failures_in_row_ += 1;
  if (!known_) step_ = Timer(room_.loop, [this](auto) { probe(); });
  step_.arm(delay);
}

void Download::fail(const Error& error) {
  const bool full = error.is(ENOSPC) || error.is(EDQUOT);
  fail({full ? Failure::Kind::NoSpace : Failure::Kind::Internal, error.text()});
}

void Download::fail(Failure failure) {
  failure_ = std::move(failure);
  fetches_.clear();
  step_.disarm();
  news_.arm(milliseconds::zero());
}

void Download::subscribe(Subscriber& subscriber) {
  subscribers_.push_back(&subscriber);
  news_.arm(milliseconds::zero());
}

void Download::unsubscribe(Subscriber& subscriber) { std::erase(subscribers_, &subscriber); }

void Download::tell() {
  const auto alive = shared_from_this();  // the last subscriber may leave in the middle
  const auto now = subscribers_;
  for (Subscriber* subscriber : now) {
    if (std::ranges::find(subscribers_, subscriber) != subscribers_.end()) {
      subscriber->on_progress();
    }
  }
}

}  // namespace perch::peer
