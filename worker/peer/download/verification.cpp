// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/verification.h"

#include <algorithm>

namespace perch::peer {

void Verification::want(const Digest& digest) {
  const auto known = std::ranges::find(wanted_, digest, &Wanted::digest);
  if (known == wanted_.end()) wanted_.push_back({digest});
}

Verification::Verdict Verification::verdict(const Digest& digest) const {
  const auto wanted = std::ranges::find(wanted_, digest, &Wanted::digest);
  return wanted == wanted_.end() ? Verdict::Pending : wanted->verdict;
}

Result<Verification::Outcome> Verification::step(TaskFiles& files) {
  if (next_to_scrub_) return scrub(files);
  const auto next = std::ranges::find_if(
      wanted_, [](const Wanted& w) { return w.verdict == Verdict::Pending && !w.doubted; });
  return next == wanted_.end() ? judge(files) : hash(*next, files);
}

Result<Verification::Outcome> Verification::hash(Wanted& wanted, const TaskFiles& files) {
  if (!check_) check_.emplace(wanted.digest);
  if (auto read = check_->step(files); !read) return std::unexpected(std::move(read.error()));
  if (!check_->done(files)) return Outcome::More;
  if (check_->matches()) {
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
  next_to_scrub_ = 0;
  damaged_ = false;
  return scrub(files);
}

Result<Verification::Outcome> Verification::scrub(TaskFiles& files) {
  if (*next_to_scrub_ < files.layout().count()) {
    const auto good = files.verify((*next_to_scrub_)++);
    if (!good) return std::unexpected(good.error());
    damaged_ = damaged_ || !*good;
    return Outcome::More;
  }
  next_to_scrub_.reset();
  if (damaged_) return once_more(Outcome::Refetch);
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
