// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/download.h"

#include <algorithm>
#include <random>
#include <utility>

namespace perch::peer {
namespace {

using std::chrono::milliseconds;
using Ask = Fetch::Job::Ask;

std::uint64_t bytes_stored(const TaskFiles& files) {
  std::uint64_t bytes = 0;
  for (std::uint32_t number = 0; number < files.layout().count(); ++number) {
    bytes += files.bytes_done(number);
  }
  return bytes;
}

PieceLayout layout_for(const OriginFacts& facts, const DownloadSpec& spec) {
  const std::uint64_t length = facts.length.value_or(0);
  return {length, spec.piece_length.value_or(piece_length_for(length))};
}

Failure impossible(const PieceLayout& layout) {
  return {Failure::Kind::Unsupported, "a file of " + std::to_string(layout.length) +
                                          " bytes has too many pieces of " +
                                          std::to_string(layout.piece_length)};
}

}  // namespace

Download::Download(const DownloadRoom& room, DownloadSpec spec)
    : room_(room),
      spec_(std::move(spec)),
      backoff_(std::random_device()()),
      wanted_([this](ByteRange bytes) {
        return std::ranges::any_of(subscribers_, [&](auto* one) { return one->wants(bytes); });
      }),
      rate_(room.options.rate_per_task),
      step_(room.loop, [](auto) {}),
      news_(room.loop, [this](auto) { tell(); }) {
  if (spec_.digest) PERCH_CHECK(verification_.want(*spec_.digest));
}

Download::~Download() { room_.slots.withdraw(*this); }

void Download::begin() {
  room_.traffic.downloads_started += 1;
  auto stored = room_.store.find(spec_.id);
  // With another error what is there may be good: it is not to be begun anew.
  const bool none = !stored && (!stored.error().code() || stored.error().is(ENOENT));
  if (!stored) return none ? ask() : fail(failure_of(stored.error()));
  files_ = std::move(*stored);
  if (auto touched = files_->touch(); !touched) return fail(failure_of(touched.error()));
  if (files_->needs_check()) return later(&Download::check_next);
  resume();
}

bool Download::want(const Digest& digest) {
  if (!verification_.want(digest)) return false;
  if (complete_) later(&Download::examine);
  return true;
}

void Download::later(void (Download::*what)(), milliseconds delay) {
  step_ = Timer(room_.loop, [this, what](auto) { (this->*what)(); });
  step_.arm(delay);
}

void Download::check_next() {
  const auto more = check_.step(*files_);
  if (!more) return fail(failure_of(more.error()));
  if (*more) return later(&Download::check_next);
  room_.traffic.refetched_bytes += check_.lost();
  if (auto believed = files_->believe(); !believed) return fail(failure_of(believed.error()));
  resume();
}

void Download::resume() {
  // A finished task is not asked about again: it is what its id names.
  if (!all_done()) return ask();
  announce();
  examine();
}

void Download::ask() {
  if (step_.armed()) return;
  const bool more = plan_ ? plan_->has(wanted_) : probe_ == nullptr;
  if (more && fetches_.size() < room_.options.connections_per_task) room_.slots.ask(*this);
}

void Download::on_slot(ConnectionSlots::Slot slot) {
  if (step_.armed()) return;
  if (!plan_) {
    probe_ = std::make_unique<Probe>(room_, spec_.origin, std::move(slot),
                                     [this](const auto& facts) { on_probed(facts); });
    return;
  }
  if (const auto range = plan_->next(wanted_)) start(*range, std::move(slot));
  ask();
}

void Download::on_crowded() {
  if (how_ != Ask::Range || fetches_.size() < 2) return;
  plan_->give_back(fetches_.back()->range());
  const auto last = std::move(fetches_.back());
  fetches_.pop_back();
}

void Download::on_probed(const std::expected<OriginFacts, Failure>& facts) {
  const auto ended = std::move(probe_);
  facts ? settle(*facts) : on_failure(facts.error());
}

void Download::settle(const OriginFacts& facts) {
  how_ = how_to_ask(facts);
  if (files_ && !from_nothing_ && same_file(files_->manifest(), facts)) {
    if (!known_) room_.traffic.resumed_bytes += bytes_stored(*files_);
    return fetch_missing();
  }
  const PieceLayout layout = layout_for(facts, spec_);
  if (known_) {
    if (!from_nothing_) return fail(changed_file());
    if (!facts.length) return discard();
    // Callers were told of pieces: another layout is for those who ask again.
    if (layout != this->layout()) {
      const auto gone = room_.store.remove(spec_.id);
      return fail(gone ? changed_file() : failure_of(gone.error()));
    }
  }
  if (!layout.possible()) return fail(impossible(layout));
  begin_generation(facts, layout);
}

void Download::begin_generation(const OriginFacts& facts, const PieceLayout& layout) {
  drop_files();
  from_nothing_ = false;
  Manifest manifest{spec_.origin.url, layout, facts.headers, 1};
  auto made = facts.length ? room_.store.create(spec_.id, std::move(manifest))
                           : room_.store.create_unsized(spec_.id, std::move(manifest));
  if (!made) return fail(failure_of(made.error()));
  files_ = std::move(*made);
  fetch_missing();
}

void Download::drop_files() {
  if (files_) room_.traffic.refetched_bytes += bytes_stored(*files_);
  files_.reset();
  plan_.reset();
}

void Download::fetch_missing() {
  if (how_ == Ask::UnknownLength) {
    plan_ = RangePlan::without_end();
    return ask();
  }
  plan_.emplace(layout(), how_ == Ask::Range,
                [this](std::uint32_t number) { return files_->bytes_done(number); });
  announce();
  go_on();
}

void Download::announce() {
  if (known_) return;
  known_ = true;
  for (std::uint32_t number = 0; number < layout().count(); ++number) {
    if (files_->done(number)) finished_.push_back(number);
  }
  news_.arm(milliseconds::zero());
}

void Download::start(ByteRange range, ConnectionSlots::Slot slot) {
  fetches_.push_back(std::make_unique<Fetch>(
      room_, Fetch::Job{spec_.origin, *files_, rate_, range, how_}, std::move(slot),
      Fetch::Handlers{
          .on_piece = [this](std::uint32_t number) { on_piece(number); },
          .on_end = [this](Fetch& fetch, const auto& failure) { on_fetched(fetch, failure); }}));
}

void Download::on_fetched(Fetch& fetch, const std::optional<Failure>& failure) {
  const auto ended = std::ranges::find_if(fetches_, [&](auto& f) { return f.get() == &fetch; });
  const std::unique_ptr<Fetch> last = std::move(*ended);
  fetches_.erase(ended);
  if (last->stored() > 0 && known_) backoff_.reset();
  if (failure) {
    // Of a file without a known length nothing can be gone on with.
    known_ ? plan_->give_back(last->range()) : drop_files();
    return on_failure(*failure);
  }
  if (how_ == Ask::UnknownLength) {
    if (auto settled = files_->settle(last->at()); !settled) {
      return fail(failure_of(settled.error()));
    }
    announce();
  }
  go_on();
}

void Download::go_on() {
  if (!plan_->exhausted() || !fetches_.empty()) return ask();
  PERCH_CHECK(all_done());
  examine();
}

void Download::on_piece(std::uint32_t number) {
  if (!known_) return;
  finished_.push_back(number);
  news_.arm(milliseconds::zero());
}

void Download::on_failure(const Failure& failure) {
  room_.traffic.origin_errors += 1;
  // Before anybody was told of a version, another one is as good.
  const bool passing = failure.kind == Failure::Kind::Unavailable ||
                       (failure.kind == Failure::Kind::Changed && !known_);
  if (!passing) return fail(failure);
  if (step_.armed()) return;  // its connections fail together: that is one failure
  const auto delay = backoff_.next(failure.retry_after);
  if (!delay) return fail({Failure::Kind::Unavailable, failure.reason});
  later(&Download::ask, *delay);
}

void Download::fail(Failure failure) {
  if (failure_) return;
  room_.traffic.downloads_failed += 1;
  failure_ = std::move(failure);
  room_.slots.withdraw(*this);
  step_.disarm();
  probe_.reset();
  fetches_.clear();
  news_.arm(milliseconds::zero());
}

void Download::examine() {
  const auto outcome = verification_.step(*files_);
  if (!outcome) return fail(failure_of(outcome.error()));
  switch (*outcome) {
    case Verification::Outcome::More:
      return later(&Download::examine);
    case Verification::Outcome::Settled:
      return conclude();
    case Verification::Outcome::Refetch:
      room_.traffic.refetched_bytes += layout().length - bytes_stored(*files_);
      return fetch_again();
    case Verification::Outcome::StartOver:
      from_nothing_ = true;
      return fetch_again();
  }
}

void Download::fetch_again() {
  complete_ = false;
  plan_.reset();
  ask();
}

void Download::conclude() {
  const Manifest& manifest = files_->manifest();
  if (verification_.refuted(manifest)) return discard();
  const Digest* proven = verification_.proven();
  const bool news = manifest.digest.empty() && proven != nullptr;
  if (manifest.finished == std::chrono::sys_seconds() || news) {
    const std::string digest = news ? proven->text() : manifest.digest;
    if (auto marked = files_->mark_finished(digest); !marked) {
      return fail(failure_of(marked.error()));
    }
  }
  if (!std::exchange(complete_, true)) room_.traffic.downloads_finished += 1;
  news_.arm(milliseconds::zero());
}

// Not what anybody expects: nobody shall find it.
void Download::discard() {
  verification_.give_up();
  if (auto gone = room_.store.remove(spec_.id); !gone) return fail(failure_of(gone.error()));
  room_.traffic.downloads_failed += 1;
  discarded_ = true;
  complete_ = true;
  news_.arm(milliseconds::zero());
}

void Download::subscribe(Subscriber& subscriber) {
  subscribers_.push_back(&subscriber);
  if (plan_) ask();
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
