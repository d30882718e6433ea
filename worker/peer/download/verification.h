// SPDX-License-Identifier: Apache-2.0
// Verification: whether a whole file has the digests that its callers expect, found out a part at a
// time so that the loop stays free. Each digest gets a verdict of its own. When none is right, the
// pieces are held against their checksums: those that the disk has damaged are fetched again; with
// no such piece all of it is, once, unless the file had been proven before. What is wrong after
// that, the origin does not have.
#pragma once

#include <optional>
#include <vector>

#include "worker/peer/download/digest_check.h"
#include "worker/peer/download/piece_check.h"

namespace perch::peer {

class Verification {
 public:
  enum class Verdict { Pending, Right, Wrong };
  enum class Outcome {
    More,      // ask again, soon
    Settled,   // every digest has its verdict
    Refetch,   // damaged pieces were forgotten
    StartOver  // the whole file is to be fetched again
  };

  // Each is one reading of the file.
  static constexpr std::size_t kMaxDigests = 16;

  // Asking for the same one twice is once; false when there are too many.
  [[nodiscard]] bool want(const Digest& digest);
  // Pending also for one that nobody wanted.
  [[nodiscard]] Verdict verdict(const Digest& digest) const;

  // One step on a file that is whole.
  Result<Outcome> step(TaskFiles& files);
  // It could not be fetched again: what is pending is wrong.
  void give_up();

  // Some digest is wrong, and none was ever right.
  [[nodiscard]] bool refuted(const Manifest& manifest) const;
  // One that is right, if any.
  [[nodiscard]] const Digest* proven() const;

 private:
  struct Wanted {
    Digest digest;
    Verdict verdict = Verdict::Pending;
    bool doubted = false;  // this content does not have it
  };

  Outcome hash(Wanted& wanted, const TaskFiles& files);
  Result<Outcome> judge(TaskFiles& files);
  Result<Outcome> scrub(TaskFiles& files);
  Outcome once_more(Outcome outcome);
  // Neither judged nor doubted; null when there is none.
  Wanted* next_to_hash();
  [[nodiscard]] bool has(Verdict verdict) const;

  std::vector<Wanted> wanted_;
  std::optional<DigestCheck> check_;  // of the next one to hash
  std::optional<PieceCheck> scrub_;
  bool once_more_ = false;  // it has been fetched twice
};

}  // namespace perch::peer
