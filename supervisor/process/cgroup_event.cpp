// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/cgroup_event.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/posix/file.h"

namespace perch::process {

Result<UniqueFd> watch_cgroup_file(const std::string& path) {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return fail("inotify_init1");
  if (::inotify_add_watch(inotify.get(), path.c_str(), IN_MODIFY) < 0) return fail("watch " + path);
  return inotify;
}

// cgroup.event_control takes "EVENTFD FD-OF-THE-FILE ARGUMENT". Only the eventfd is kept by the
// kernel.
Result<UniqueFd> register_cgroup_event(const std::string& directory, std::string_view file,
                                       std::string_view argument) {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return fail("eventfd");
  const auto subject = open_file(directory + "/" + std::string(file), O_RDONLY);
  if (!subject) return std::unexpected(subject.error());
  std::string request = std::to_string(event.get()) + " " + std::to_string(subject->get());
  if (!argument.empty()) request.append(" ").append(argument);
  auto registered = write_file(directory + "/cgroup.event_control", request);
  if (!registered) return std::unexpected(std::move(registered.error()));
  return event;
}

Result<UniqueFd> watch_memory_pressure(const std::string& directory) {
  constexpr std::string_view kTrigger("some 200000 2000000\0", 20);  // the NUL belongs to it
  const std::string path = directory + "/memory.pressure";
  auto pressure = open_file(path, O_RDWR | O_NONBLOCK);
  if (!pressure) return pressure;
  if (::write(pressure->get(), kTrigger.data(), kTrigger.size()) < 0) return fail("watch " + path);
  return pressure;
}

}  // namespace perch::process
