// SPDX-License-Identifier: Apache-2.0
// InterceptTargets: the listeners that an intercepted worker may bind, and which of them a call
// means. A name is compared before anything is touched, so that a worker's business on file systems
// that hang is not ours; then the directory is looked up as the worker sees it and compared by its
// identity, so that relative paths, links and mount namespaces lead to the same listener.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/handover/intercepted_call.h"
#include "supervisor/handover/socket_name.h"
#include "supervisor/handover/target_process.h"
#include "supervisor/listener/pinned_file.h"

namespace perch::handover {

using DirectoryId = listener::FileId;

struct InterceptTarget {
  std::string name;                      // of the listener
  int fd = -1;                           // borrowed: the listening socket
  std::string path;                      // as configured, '@' for abstract names
  std::optional<DirectoryId> directory;  // none for abstract names
  std::string basename;                  // empty for abstract names
  bool mode_is_set = false;     // the configuration's mode stands, whatever the worker does
  bool worker_listens = false;  // clients are to see the worker as their peer: its listen() counts
};

// A path of a process: the directory it leads to, and the last component, whatever that is.
struct Place {
  UniqueFd directory;  // O_PATH
  std::string name;
  [[nodiscard]] std::optional<DirectoryId> directory_id() const;
};
Result<Place> find_place(const TargetProcess& process, int base, const std::string& path);

class InterceptTargets {
 public:
  struct Entry {
    InterceptTarget target;
    ino_t socket = 0;    // sockfs' number of target.fd
    bool bound = false;  // by this generation
  };

  explicit InterceptTargets(std::vector<InterceptTarget> targets);
  // `bound` stays, by the listeners' names.
  void replace(std::vector<InterceptTarget> targets);
  [[nodiscard]] bool all_bound() const;

  // Null when it is none of ours.
  using Found = Result<Entry*>;
  Found find(const TargetProcess& process, int base, const std::string& path);
  Found find(const TargetProcess& process, const SocketName& name);
  // Whatever descriptor of the process this is: is it one of our listeners?
  Found find_descriptor(const TargetProcess& process, int fd);

 private:
  Found find_abstract(const TargetProcess& process, const AbstractName& name);

  std::vector<Entry> entries_;
};

}  // namespace perch::handover
