// SPDX-License-Identifier: Apache-2.0
#include "tests/containers/podman.h"

#include <unistd.h>

#include <filesystem>
#include <stdexcept>

namespace perch::test {
namespace {

namespace fs = std::filesystem;

// The deepest first: a cgroup with others below cannot be removed.
void remove_cgroup(const fs::path& directory) {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(directory, gone)) {
    if (entry.is_directory(gone)) remove_cgroup(entry.path());
  }
  ::rmdir(directory.c_str());
}

void remove_left_cgroups() {
  remove_cgroup("/sys/fs/cgroup/libpod_parent");
  std::error_code gone;
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", gone)) {
    remove_cgroup(hierarchy.path() / "libpod_parent");
  }
}

std::string place_of(const std::string& context) {
  return context.starts_with('/') ? context : "docker-image://" + context;
}

}  // namespace

Podman::~Podman() {
  (void)run({.argv = command({"rm", "--all", "--force", "--time", "0"})});
  (void)run({.argv = command({"rmi", "--all", "--force"})});
  remove_left_cgroups();
}

void Podman::build(const Build& wanted) const {
  const std::string file = directory_.path("Dockerfile");
  write_text(file, wanted.dockerfile);
  // --isolation: no container for what is only copied. docker: the format that has health checks.
  std::vector<std::string> argv =
      command({"build", "--isolation", "chroot", "--format", "docker", "--pull=never", "--quiet",
               "-f", file, "-t", wanted.image});
  for (const auto& [name, context] : wanted.contexts) {
    argv.insert(argv.end(), {"--build-context", name + "=" + place_of(context)});
  }
  argv.push_back(wanted.context);
  const Finished built = test::run({.argv = argv});
  if (built.ending != exited(0)) throw std::runtime_error("podman build: " + built.err);
}

// tini: podman leaves its monitor behind as a daemon, which the harness would take for an orphan
// and kill with the next program that ends; so it has a parent of its own. That monitor marks an
// OOM kill by a file where it was started. ulimit: without CAP_SYS_RESOURCE podman's own defaults
// could not be set.
std::vector<std::string> Podman::run_command(const Run& wanted) const {
  std::vector<std::string> argv{"env", "-C", directory_.path(), "tini", "-s", "--"};
  const auto run =
      command({"run", "--rm", "--name", wanted.name, "--network", "none", "--read-only", "--memory",
               kMemoryLimit, "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"});
  argv.insert(argv.end(), run.begin(), run.end());
  argv.insert(argv.end(), wanted.options.begin(), wanted.options.end());
  argv.push_back(wanted.image);
  argv.insert(argv.end(), wanted.arguments.begin(), wanted.arguments.end());
  return argv;
}

std::vector<std::string> Podman::command(const std::vector<std::string>& arguments) const {
  std::vector<std::string> argv{"podman",
                                "--root",
                                directory_.path("store"),
                                "--runroot",
                                directory_.path("run"),
                                "--storage-driver",
                                "vfs",
                                "--cgroup-manager",
                                "cgroupfs",
                                "--events-backend",
                                "none",
                                "--runtime",
                                "/usr/sbin/runc"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

}  // namespace perch::test
