// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/verification.h"

#include <algorithm>

namespace perch::peer {

bool Verification::want(const Digest& digest) {
  const auto known = std::ranges::find(wanted_, digest, &Wanted::digest);
  if (known != wanted_.end()) return true;
  if (wanted_.size() == kMaxDigests) return false;
  wanted_.push_back({digest});
  return true;
}

Verification::Verdict Verification::verdict(const Digest& digest) const {
  const auto wanted = std::ranges::find(wanted_, digest, &Wanted::digest);
  return wanted == wanted_.end() ? Verdict::Pending : wanted->verdict;
}

Result<Verification::Outcome> Verification::step(TaskFiles& files) {
  if (scrub_) return scrub(files);
  if (Wanted* next = next_to_hash(); next != nullptr) return hash(*next, files);
  return judge(files);
}

Verification::Wanted* Verification::next_to_hash() {
  const auto next = std::ranges::find_if(
      wanted_, [](const Wanted& w) { return w.verdict == Verdict::Pending && !w.doubted; });
  return next == wanted_.end() ? nullptr : &*next;
}

Verification::Outcome Verification::hash(Wanted& wanted, const TaskFiles& files) {
  if (!check_) check_.emplace(wanted.digest);
  // Which piece cannot be read, the scrub finds out, and has it fetched again.
  const auto read = check_->step(files);
  if (read && !check_->done(files)) return Outcome::More;
  if (read && check_->matches()) {
    wanted.verdict = Verdict::Right;
  } else {
    wanted.doubted = true;
  }
  check_.reset();
  return Outcome::More;
}

// All have been compared with what there is.
Result<Verification::Outcome> Verification::judge(TaskFiles& files) {
  if (!has(Verdict::Pending)) return Outcome::Settled;
  if (has(Verdict::Right) || once_more_) {
    give_up();
    return Outcome::Settled;
  }
  scrub_.emplace();
  return scrub(files);
}

Result<Verification::Outcome> Verification::scrub(TaskFiles& files) {
  const auto more = scrub_->step(files);
  if (!more) return std::unexpected(more.error());
  if (*more) return Outcome::More;
  const bool damaged = scrub_->lost() > 0;
  scrub_.reset();
  if (damaged) return once_more(Outcome::Refetch);
  // One that came meanwhile may be what is there.
  if (next_to_hash() != nullptr) return Outcome::More;
  if (files.manifest().digest.empty()) return once_more(Outcome::StartOver);
  give_up();
  return Outcome::Settled;
}

Verification::Outcome Verification::once_more(Outcome outcome) {
  once_more_ = true;
  for (Wanted& wanted : wanted_) wanted.doubted = false;
  return outcome;
}

void Verification::give_up() {
  for (Wanted& wanted : wanted_) {
    if (wanted.verdict == Verdict::Pending) wanted.verdict = Verdict::Wrong;
  }
}

bool Verification::refuted(const Manifest& manifest) const {
  return has(Verdict::Wrong) && !has(Verdict::Right) && manifest.digest.empty();
}

const Digest* Verification::proven() const {
  const auto right = std::ranges::find(wanted_, Verdict::Right, &Wanted::verdict);
  return right == wanted_.end() ? nullptr : &right->digest;
}

bool Verification::has(Verdict verdict) const {
  return std::ranges::find(wanted_, verdict, &Wanted::verdict) != wanted_.end();
}

}  // namespace perch::peer
