// SPDX-License-Identifier: Apache-2.0
// Sight: what a look at a guarded listener's path shows, and what follows from it. The look is an
// effect, the conclusion is pure.
#pragma once

#include <optional>

#include "common/value/error.h"
#include "supervisor/listener/listener.h"
#include "supervisor/listener/pinned_file.h"

namespace perch::listener {

enum class AtPath {
  Ours,
  Nothing,
  DeadSocket,
  LiveSocket,  // somebody holds it, or the kernel does not say
  OtherFile    // no socket
};

struct Sight {
  AtPath at_path = AtPath::Ours;
  bool abstract = false;
  bool listens = true;         // nobody has shut the socket down
  bool same_directory = true;  // the path leads to the directory that it was claimed in
  bool has_name = true;        // some name of our inode is left, wherever: it can be linked
  bool has_spare = true;       // or none is to be had there
  bool has_mode = true;        // the one that is wanted, if any is

  bool operator==(const Sight&) const = default;
};

// One step at a time; after it comes another look.
enum class Remedy {
  None,
  LinkBack,
  ExchangeBack,
  Displace,
  Yield,      // a live owner is never fought; nor is a lost abstract name
  ClaimAnew,  // our inode is lost: another socket takes the path
  RestoreMode,
  RestoreSpare
};

Remedy remedy_for(const Sight& sight);

struct Look {
  Sight sight;
  std::optional<PinnedFile> found;  // at the path, where it is not ours
};

enum class Listens { No, Yes };  // what the watch of the socket says
Result<Look> look_at(const Listener& listener, Listens listens);

}  // namespace perch::listener
