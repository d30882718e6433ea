// SPDX-License-Identifier: Apache-2.0
#include "tests/daemons/oci_bundle.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "tests/support/process.h"

namespace perch::test {
namespace {

using nlohmann::json;

// As Docker and containers-common name this machine, and as libseccomp does.
#if defined(__x86_64__)
constexpr const char* kArchitecture = "amd64";
constexpr const char* kSeccompArchitecture = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
constexpr const char* kArchitecture = "arm64";
constexpr const char* kSeccompArchitecture = "SCMP_ARCH_AARCH64";
#endif

const json kCapabilities = {
    "CAP_CHOWN",      "CAP_DAC_OVERRIDE",     "CAP_FSETID",      "CAP_FOWNER",  "CAP_MKNOD",
    "CAP_NET_RAW",    "CAP_SETGID",           "CAP_SETUID",      "CAP_SETFCAP", "CAP_SETPCAP",
    "CAP_SYS_CHROOT", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE", "CAP_KILL"};

json list_of(const json& rule, const char* condition, const char* kind) {
  const json conditions = rule.value(condition, json::object());
  if (!conditions.is_object()) return json::array();
  return conditions.value(kind, json::array());
}

bool contains(const json& list, const json& value) {
  return std::ranges::find(list, value) != list.end();
}

bool applies(const json& rule, const json& capabilities) {
  const auto has = [&](const json& capability) { return contains(capabilities, capability); };
  const json only_on = list_of(rule, "includes", "arches");
  return (only_on.empty() || contains(only_on, kArchitecture)) &&
         !contains(list_of(rule, "excludes", "arches"), kArchitecture) &&
         std::ranges::all_of(list_of(rule, "includes", "caps"), has) &&
         std::ranges::none_of(list_of(rule, "excludes", "caps"), has);
}

json architectures(const json& profile) {
  json names = json::array({kSeccompArchitecture});
  for (const json& entry : profile.at("archMap")) {
    if (entry.at("architecture") != kSeccompArchitecture) continue;
    for (const json& other : entry.at("subArchitectures")) names.push_back(other);
  }
  return names;
}

json bind_mount(const std::string& path, const char* access) {
  return {{"destination", path},
          {"type", "bind"},
          {"source", path},
          {"options", json::array({"rbind", "rprivate", access})}};
}

json mounts(const std::vector<std::string>& paths) {
  json all = {{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
              {{"destination", "/dev"},
               {"type", "tmpfs"},
               {"source", "tmpfs"},
               {"options", json::array({"nosuid", "mode=755"})}},
              {{"destination", "/tmp"}, {"type", "tmpfs"}, {"source", "tmpfs"}},
              bind_mount("/usr", "ro"),
              bind_mount("/etc", "ro")};
  for (const std::string& path : paths) all.push_back(bind_mount(path, "rw"));
  return all;
}

json process(const std::vector<std::string>& command) {
  return {
      {"terminal", false},
      {"user", {{"uid", 0}, {"gid", 0}}},
      {"args", command},
      {"env", json::array({"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})},
      {"cwd", "/"},
      {"noNewPrivileges", false},
      {"capabilities",
       {{"bounding", kCapabilities}, {"effective", kCapabilities}, {"permitted", kCapabilities}}}};
}

json namespaces() {
  json all = json::array();
  for (const char* type : {"pid", "ipc", "uts", "mount", "network"}) {
    all.push_back({{"type", type}});
  }
  return all;
}

json config(const OciBundle::Contents& contents) {
  std::ifstream profile(kSeccompProfile);
  return {{"ociVersion", "1.0.2"},
          {"process", process(contents.command)},
          {"root", {{"path", "rootfs"}, {"readonly", true}}},
          {"hostname", "perch"},
          {"mounts", mounts(contents.paths)},
          {"linux",
           {{"namespaces", namespaces()},
            {"seccomp", oci_seccomp(json::parse(profile), kCapabilities)}}}};
}

// Everything of Debian's lies in /usr; the old places are links. Where something is mounted, the
// directory has to be there before, since the root is read-only.
void make_root(const std::filesystem::path& root) {
  for (const char* name : {"usr", "etc", "proc", "dev", "tmp", "sys", "run"}) {
    std::filesystem::create_directories(root / name);
  }
  for (const char* name : {"bin", "sbin", "lib", "lib64"}) {
    std::filesystem::create_symlink(std::string("usr/") + name, root / name);
  }
}

}  // namespace

json oci_seccomp(const json& profile, const json& capabilities) {
  json rules = json::array();
  for (const json& rule : profile.at("syscalls")) {
    if (!applies(rule, capabilities)) continue;
    json kept;
    for (const char* key : {"names", "action", "args", "errnoRet"}) {
      if (rule.contains(key) && !rule[key].is_null()) kept[key] = rule[key];
    }
    rules.push_back(kept);
  }
  json result = {{"defaultAction", profile.at("defaultAction")},
                 {"architectures", architectures(profile)},
                 {"syscalls", rules}};
  if (profile.contains("defaultErrnoRet")) result["defaultErrnoRet"] = profile["defaultErrnoRet"];
  return result;
}

OciBundle::OciBundle(const Contents& contents) {
  make_root(directory_.path("rootfs"));
  write_text(directory_.path("config.json"), config(contents).dump());
}

OciBundle::~OciBundle() { (void)run({.argv = runc({"delete", "--force"})}); }

std::vector<std::string> OciBundle::runc(std::vector<std::string> arguments) const {
  const std::string name = std::filesystem::path(directory_.path()).filename();
  std::vector<std::string> command{"runc", "--root", directory_.path("state")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back(name);
  return command;
}

// The shell takes what is appended for parameters of its own.
std::vector<std::string> OciBundle::run_command() const {
  const auto words = runc({"run", "--bundle", directory_.path()});
  return {"sh", "-c", fmt::format("exec {}", fmt::join(words, " "))};
}

}  // namespace perch::test
