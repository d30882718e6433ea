// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/memory_cgroup.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include "common/posix/file.h"
#include "tests/support/requirement.h"
#include "tests/unit/process/in_child.h"

using namespace perch;
using namespace perch::process;

namespace {

struct Example {
  const char* where;
  std::string_view cgroups;
  std::string_view mountinfo;
  MemoryCgroupPlace memory;
  std::optional<CgroupPlace> unified;
};

MemoryCgroupPlace v1(std::string directory, std::size_t below, std::string mount_point) {
  return {CgroupVersion::V1, {std::move(directory), below, std::move(mount_point)}};
}
MemoryCgroupPlace v2(std::string directory, std::size_t below, std::string mount_point) {
  return {CgroupVersion::V2, {std::move(directory), below, std::move(mount_point)}};
}

const std::array kExamples{
    Example{"a hybrid host: memory on version 1, a version 2 tree beside it",
            "9:name=systemd:/\n4:memory:/jobs/7f\n2:cpuacct:/\n1:cpu:/\n0::/\n",
            "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
            "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
            "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
            "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
            v1("/sys/fs/cgroup/memory/jobs/7f", 0, "/sys/fs/cgroup/memory"),
            CgroupPlace{"/sys/fs/cgroup/unified", 0, "/sys/fs/cgroup/unified"}},
    Example{"Docker, version 1: the mount shows the container's part under its host path",
            "12:memory:/docker/4a5b\n11:cpu,cpuacct:/docker/4a5b\n1:name=systemd:/docker/4a5b\n"
            "0::/system.slice/containerd.service\n",
            "693 692 0:30 /docker/4a5b /sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime "
            "master:12 - cgroup cgroup rw,cpu,cpuacct\n"
            "701 692 0:38 /docker/4a5b /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime "
            "master:20 - cgroup cgroup rw,memory\n",
            v1("/sys/fs/cgroup/memory", 0, "/sys/fs/cgroup/memory"), std::nullopt},
    Example{"Docker, version 2, with a cgroup namespace", "0::/\n",
            "640 639 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup "
            "rw,nsdelegate,memory_recursiveprot\n",
            v2("/sys/fs/cgroup", 0, "/sys/fs/cgroup"),
            CgroupPlace{"/sys/fs/cgroup", 0, "/sys/fs/cgroup"}},
    Example{"Kubernetes, version 2, without a cgroup namespace",
            "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-9.scope\n",
            "2210 2198 0:28 /kubepods.slice/kubepods-pod1.slice/cri-containerd-9.scope "
            "/sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw\n",
            v2("/sys/fs/cgroup", 0, "/sys/fs/cgroup"),
            CgroupPlace{"/sys/fs/cgroup", 0, "/sys/fs/cgroup"}},
    Example{"a child cgroup made inside such a container", "0::/kubepods/pod1/c9/init\n",
            "2210 2198 0:28 /kubepods/pod1/c9 /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
            v2("/sys/fs/cgroup/init", 0, "/sys/fs/cgroup"),
            CgroupPlace{"/sys/fs/cgroup/init", 0, "/sys/fs/cgroup"}},
    Example{"runc, version 1, with a cgroup namespace", "11:memory:/\n1:name=systemd:/\n",
            "80 79 0:33 / /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n",
            v1("/sys/fs/cgroup/memory", 0, "/sys/fs/cgroup/memory"), std::nullopt},
    Example{"a cgroup namespace whose mounts were made outside of it", "4:memory:/\n0::/\n",
            "35 31 0:32 /../.. /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
            "41 31 0:38 /.. /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            v1("/sys/fs/cgroup/memory", 2, "/sys/fs/cgroup/memory"),
            CgroupPlace{"/sys/fs/cgroup/unified", 1, "/sys/fs/cgroup/unified"}},
    Example{"a namespace with both kinds of mount prefers the one that names our cgroup",
            "0::/worker\n",
            "41 31 0:38 /.. /host/cgroup rw - cgroup2 cgroup2 rw\n"
            "42 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            v2("/sys/fs/cgroup/worker", 0, "/sys/fs/cgroup"),
            CgroupPlace{"/sys/fs/cgroup/worker", 0, "/sys/fs/cgroup"}},
    Example{"a process that was moved out of its namespace's root", "0::/../sibling\n",
            "41 31 0:38 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            v2("/sys/fs/cgroup/sibling", 0, "/sys/fs/cgroup"),
            CgroupPlace{"/sys/fs/cgroup/sibling", 0, "/sys/fs/cgroup"}},
    Example{"moved to where no mount reaches",
            "0::/../sibling\n",
            "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            {},
            std::nullopt},
    Example{"a mount of another part of the hierarchy",
            "0::/a/b\n",
            "41 31 0:38 /a/c /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            {},
            std::nullopt},
    Example{"rootless podman, version 2",
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-3f.scope/container"
            "\n",
            "1038 1030 0:25 "
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-3f.scope/container "
            "/sys/fs/cgroup ro,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 "
            "rw,nsdelegate\n",
            v2("/sys/fs/cgroup", 0, "/sys/fs/cgroup"),
            CgroupPlace{"/sys/fs/cgroup", 0, "/sys/fs/cgroup"}},
    Example{"names with a space, a backslash and a colon", "4:memory:/my jobs/a:b\\c\n",
            "35 31 0:32 /my\\040jobs /cg\\134roup\\040v1 rw - cgroup cgroup rw,memory\n",
            v1("/cg\\roup v1/a:b\\c", 0, "/cg\\roup v1"), std::nullopt},
    Example{"several optional fields in mountinfo", "0::/x\n",
            "41 31 0:38 / /cg rw shared:1 master:2 propagate_from:3 unbindable - cgroup2 c rw\n",
            v2("/cg/x", 0, "/cg"), CgroupPlace{"/cg/x", 0, "/cg"}},
    Example{"version 1 membership, but no such mount",
            "4:memory:/jobs\n0::/\n",
            "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            {},
            CgroupPlace{"/sys/fs/cgroup/unified", 0, "/sys/fs/cgroup/unified"}},
    Example{"no cgroup mounted",
            "0::/\n",
            "22 27 0:21 / /proc rw,relatime - proc proc rw\n",
            {},
            std::nullopt},
    Example{"nothing to read", "", "", {}, std::nullopt},
    Example{"malformed texts",
            "memory\n4:memory\n:::\n0::relative\n::",
            "41\n41 31 0:38 /\n41 31 0:38 / /cg rw - cgroup2\n- - - - - -\n \n\\\\04\n",
            {},
            std::nullopt},
    Example{"good lines between malformed ones", "::\n0::/x\n4",
            "41 31 0:38 / /no rw - cgroup2\n41 31 0:38 / /cg\\04 rw - cgroup2 c rw",
            v2("/cg\\04/x", 0, "/cg\\04"), CgroupPlace{"/cg\\04/x", 0, "/cg\\04"}},
};

std::string describe(const MemoryCgroup& cgroup) {
  return std::to_string(static_cast<int>(cgroup.version)) + " " + cgroup.directory +
         (cgroup.is_root ? " root" : "");
}

}  // namespace

TEST_CASE("the memory cgroup is found from the texts of every kind of container") {
  for (const Example& example : kExamples) {
    CAPTURE(example.where);
    const auto found = locate_memory_cgroup(example.cgroups, example.mountinfo);
    CHECK(found.version == example.memory.version);
    CHECK(found.place.directory == example.memory.place.directory);
    CHECK(found.place.levels_below == example.memory.place.levels_below);
    CHECK(found.place.mount_point == example.memory.place.mount_point);
    CHECK((locate_unified_cgroup(example.cgroups, example.mountinfo) == example.unified));
  }
}

TEST_CASE("our own memory cgroup has us as a member") {
  const MemoryCgroup own = own_memory_cgroup();
  if (!test::have(own.version != CgroupVersion::None, "needs a mounted memory cgroup")) return;
  if (own.version == CgroupVersion::V2) return;  // there it may be one above our own
  const auto members = read_file(own.directory + "/cgroup.procs");
  REQUIRE(members.has_value());
  CHECK(("\n" + *members).contains("\n" + std::to_string(::getpid()) + "\n"));
}

TEST_CASE("the same cgroup is found from inside a cgroup namespace with the mounts of its host") {
  if (!test::have(test::is_root(), "needs root: unshare")) return;
  const std::string outside = describe(own_memory_cgroup());
  const std::string inside = test::in_child([] {
    if (::unshare(CLONE_NEWCGROUP) != 0) return;
    const std::string found = describe(own_memory_cgroup());
    (void)!::write(STDOUT_FILENO, found.data(), found.size());
  });
  CHECK(inside == outside);
}
