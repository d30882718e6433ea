// SPDX-License-Identifier: Apache-2.0
#include "tests/containers/images.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "common/posix/file.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNginxBase = "localhost/nginx-base";

std::string dockerfile(const std::string& name) {
  auto text = read_file(from_build("PERCH_SOURCE") + "/packaging/docker/" + name);
  if (!text) throw std::runtime_error(text.error().text());
  return *std::move(text);
}

std::string last_stage(const std::string& text) { return text.substr(text.rfind("\nFROM ")); }

void checked(const std::vector<std::string>& argv) {
  const Finished finished = run({.argv = argv});
  if (finished.ending != exited(0)) throw std::runtime_error(argv.front() + ": " + finished.err);
}

// A file of this machine at the same place in an image, and without symbols, which vfs would copy
// with every layer.
void take(const fs::path& source, const fs::path& target) {
  fs::create_directories(target.parent_path());
  checked({"strip", "-o", target, source});
}

std::vector<std::string> libraries_of(const std::string& program) {
  std::istringstream words(run({.argv = {"ldd", program}}).out);
  std::vector<std::string> found;
  std::copy_if(std::istream_iterator<std::string>(words), {}, std::back_inserter(found),
               [](const std::string& word) { return word.starts_with('/'); });
  return found;
}

// What an image of nginx has: it, its libraries, accounts.
void make_nginx_root(const fs::path& root) {
  take("/usr/sbin/nginx", root / "usr/bin/nginx");
  for (const std::string& library : libraries_of("/usr/sbin/nginx")) {
    take(library, root / library.substr(1));
  }
  fs::create_directories(root / "usr/local/bin");
  fs::create_directories(root / "etc/nginx");
  fs::create_directories(root / "var/log/nginx");
  fs::create_directories(root / "tmp");
  for (const char* name : {"etc/passwd", "etc/group"})
    fs::copy_file(fs::path("/") / name, root / name);
}

}  // namespace

void build_perch_image(const Podman& podman) {
  const TemporaryDirectory build;
  take(from_build("PERCH_STATIC_BINARY"), build.path("image/perch"));
  fs::create_directories(build.path("image/run/perch"));
  podman.build({.image = kPerchImage,
                .dockerfile = last_stage(dockerfile("Dockerfile")),
                .context = build.path(),
                .contexts = {{"build", build.path()}}});
}

void build_worker_image(const Podman& podman) {
  const TemporaryDirectory context;
  take(from_build("PERCH_STATIC_TEST_WORKER"), context.path("app"));
  podman.build({.image = kWorkerImage,
                .dockerfile = std::string("FROM ") + kPerchImage + "\nCOPY app /app\n",
                .context = context.path()});
}

void build_bare_image(const Podman& podman) {
  const TemporaryDirectory context;
  take(from_build("PERCH_STATIC_TEST_WORKER"), context.path("app"));
  take(from_build("PERCH_CONTAINER_CLIENTS"), context.path("clients"));
  podman.build({.image = kBareImage,
                .dockerfile = "FROM scratch\nCOPY app clients /\n",
                .context = context.path()});
}

void build_nginx_image(const Podman& podman) {
  const TemporaryDirectory context;
  make_nginx_root(context.path("root"));
  podman.build({.image = kNginxBase,
                .dockerfile = "FROM scratch\nCOPY root /\nUSER 101:101\n"
                              "ENV PATH=/usr/local/bin:/usr/bin\nCMD [\"nginx\"]\n",
                .context = context.path()});
  podman.build(
      {.image = kNginxImage,
       .dockerfile = dockerfile("nginx.Dockerfile"),
       .context = context.path(),
       .contexts = {{"nginxinc/nginx-unprivileged:1.27", kNginxBase}, {"perch:0.1", kPerchImage}}});
}

}  // namespace perch::test
