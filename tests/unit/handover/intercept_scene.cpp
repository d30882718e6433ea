// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/handover/intercept_scene.h"

#include <sys/stat.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

#include "common/posix/unix_socket.h"
#include "tests/unit/handover/scene.h"

namespace perch::test {

UniqueFd listening_at(const std::string& path) {
  auto socket = unix_socket(SOCK_STREAM, Blocking::No);
  const auto address = unix_address(path);
  if (!socket || !address || ::bind(socket->get(), address->get(), address->size) != 0 ||
      ::listen(socket->get(), 64) != 0) {
    throw std::runtime_error("no listener at " + path);
  }
  return std::move(*socket);
}

ino_t inode_of(int fd) {
  struct stat found{};
  return ::fstat(fd, &found) == 0 ? found.st_ino : 0;
}

InterceptScene::InterceptScene(std::vector<std::string> names) {
  for (const std::string& name : names) add(path(name));
}

void InterceptScene::add(const std::string& path) {
  listeners_.push_back(listening_at(path));
  handover::InterceptTarget target;
  target.name = "listener-" + std::to_string(listeners_.size());
  target.fd = listeners_.back().get();
  target.path = path;
  if (!path.starts_with('@')) {
    struct stat found{};
    ::stat(path.substr(0, path.rfind('/')).c_str(), &found);
    target.directory = {.device = found.st_dev, .inode = found.st_ino};
    target.basename = path.substr(path.rfind('/') + 1);
  }
  settings.targets.push_back(std::move(target));
}

std::unique_ptr<FilteredProcess> InterceptScene::start(FilteredProcess::Plan process) {
  plan.paths.clear();
  for (const auto& target : settings.targets) plan.paths.push_back(target.path);
  const auto filter = handover::InterceptFilter::build(plan);
  if (!filter) throw std::runtime_error(filter.error().text());
  auto child = std::make_unique<FilteredProcess>(*filter, std::move(process));
  auto serving = handover::Interceptor::serve(
      loop, child->take_notify(), child->pid(), settings,
      {.on_bound = [this] { ++bound_calls; },
       .on_trouble = [this](std::string line) { troubles.push_back(std::move(line)); }});
  if (!serving) {
    refusal = serving.error().text();
    return nullptr;
  }
  interceptor = std::move(*serving);
  child->go();
  return child;
}

bool InterceptScene::finish(FilteredProcess& process) {
  const bool ended = run_until(loop, [&] { return process.ending().has_value(); });
  counts = interceptor->counts();
  return ended;
}

int InterceptScene::run(FilteredProcess::Plan process) {
  const auto child = start(std::move(process));
  if (!child) throw std::runtime_error(refusal);
  if (!finish(*child)) throw std::runtime_error("the process does not end");
  return *child->ending();
}

namespace worker {

int make(int type) { return ::socket(AF_UNIX, type, 0); }

int outcome(long result) { return result < 0 ? errno : 0; }

int bind(int socket, const std::string& path) {
  const auto address = unix_address(path);
  return address ? outcome(::bind(socket, address->get(), address->size)) : ENAMETOOLONG;
}

int connect(const std::string& path) {
  const UniqueFd socket(make());
  const auto address = unix_address(path);
  return address ? outcome(::connect(socket.get(), address->get(), address->size)) : ENAMETOOLONG;
}

int bound(const std::string& path, int type) {
  const int socket = make(type);
  return bind(socket, path) == 0 ? socket : -1;
}

}  // namespace worker
}  // namespace perch::test
