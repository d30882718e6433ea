// SPDX-License-Identifier: Apache-2.0
// What stopped calls ask for, and what addresses say: tables, no process.
#include "supervisor/handover/intercepted_call.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "supervisor/handover/socket_name.h"

namespace perch::test {
namespace {

using namespace handover;  // NOLINT: the tables would be twice as wide

constexpr std::uint32_t kX86_64 = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kI386 = AUDIT_ARCH_I386;
constexpr std::uint32_t kAarch64 = AUDIT_ARCH_AARCH64;
constexpr std::uint64_t kCwd = static_cast<std::uint32_t>(AT_FDCWD);

struct Case {
  std::uint32_t architecture;
  int number;
  std::array<std::uint64_t, 6> arguments;
  InterceptedCall asks;
};

seccomp_data data_of(const Case& one) {
  seccomp_data data{};
  data.nr = one.number;
  data.arch = one.architecture;
  std::ranges::copy(one.arguments, data.args);
  return data;
}

const call::Rename kPlainRename{{AT_FDCWD, 0x1000}, {AT_FDCWD, 0x2000}};
const call::Rename kRenameAt{{5, 0x1000}, {6, 0x2000}};

const std::vector<Case> kCases{
    {kX86_64, 49, {3, 0x1000, 110}, call::Bind{3, {0x1000, 110}}},
    {kX86_64, 42, {3, 0x1000, 110}, call::Connect{{0x1000, 110}}},
    {kX86_64, 50, {3, 5}, call::Listen{3}},
    {kX86_64, 48, {3, 2}, call::Shutdown{3}},
    {kX86_64, 87, {0x1000}, call::Unlink{{AT_FDCWD, 0x1000}}},
    {kX86_64, 263, {5, 0x1000, 0}, call::Unlink{{5, 0x1000}}},
    {kX86_64, 263, {kCwd, 0x1000, 0}, call::Unlink{{AT_FDCWD, 0x1000}}},
    {kX86_64, 263, {5, 0x1000, AT_REMOVEDIR}, call::Other{}},
    {kX86_64, 82, {0x1000, 0x2000}, kPlainRename},
    {kX86_64, 264, {5, 0x1000, 6, 0x2000}, kRenameAt},
    {kX86_64, 316, {5, 0x1000, 6, 0x2000, 1}, kRenameAt},
    {kX86_64, 90, {0x1000, 0777}, call::Chmod{{AT_FDCWD, 0x1000}}},
    {kX86_64, 268, {5, 0x1000, 0777}, call::Chmod{{5, 0x1000}}},
    {kX86_64, 452, {5, 0x1000, 0777}, call::Chmod{{5, 0x1000}}},
    {kX86_64, 1, {3, 0x1000, 110}, call::Other{}},
    // x32: the numbers of x86_64 with a bit of their own.
    {kX86_64, 0x40000000 + 49, {3, 0x1000, 110}, call::Other{}},

    {kI386, 361, {3, 0x1000, 110}, call::Bind{3, {0x1000, 110}}},
    {kI386, 361, {0x100000003, 0x100001000, 0x10000006e}, call::Bind{3, {0x1000, 110}}},
    {kI386, 362, {3, 0x1000, 110}, call::Connect{{0x1000, 110}}},
    {kI386, 363, {3, 5}, call::Listen{3}},
    {kI386, 373, {3, 2}, call::Shutdown{3}},
    {kI386, 10, {0x1000}, call::Unlink{{AT_FDCWD, 0x1000}}},
    {kI386, 301, {5, 0x1000, 0}, call::Unlink{{5, 0x1000}}},
    {kI386, 38, {0x1000, 0x2000}, kPlainRename},
    {kI386, 302, {5, 0x1000, 6, 0x2000}, kRenameAt},
    {kI386, 353, {5, 0x1000, 6, 0x2000}, kRenameAt},
    {kI386, 15, {0x1000}, call::Chmod{{AT_FDCWD, 0x1000}}},
    {kI386, 306, {5, 0x1000}, call::Chmod{{5, 0x1000}}},
    {kI386, 49, {3, 0x1000, 110}, call::Other{}},

    {kAarch64, 200, {3, 0x1000, 110}, call::Bind{3, {0x1000, 110}}},
    {kAarch64, 203, {3, 0x1000, 110}, call::Connect{{0x1000, 110}}},
    {kAarch64, 201, {3, 5}, call::Listen{3}},
    {kAarch64, 210, {3, 2}, call::Shutdown{3}},
    {kAarch64, 35, {5, 0x1000, 0}, call::Unlink{{5, 0x1000}}},
    {kAarch64, 35, {5, 0x1000, AT_REMOVEDIR}, call::Other{}},
    {kAarch64, 38, {5, 0x1000, 6, 0x2000}, kRenameAt},
    {kAarch64, 276, {5, 0x1000, 6, 0x2000}, kRenameAt},
    {kAarch64, 53, {5, 0x1000}, call::Chmod{{5, 0x1000}}},
    {kAarch64, 452, {5, 0x1000}, call::Chmod{{5, 0x1000}}},
    {kAarch64, 49, {3, 0x1000, 110}, call::Other{}},

    {AUDIT_ARCH_ARM, 282, {3, 0x1000, 110}, call::Other{}},
};

std::vector<std::byte> unix_bytes(const std::string& name) {
  std::vector<std::byte> bytes(offsetof(sockaddr_un, sun_path) + name.size());
  const sa_family_t family = AF_UNIX;
  std::memcpy(bytes.data(), &family, sizeof family);
  std::memcpy(bytes.data() + offsetof(sockaddr_un, sun_path), name.data(), name.size());
  return bytes;
}

std::vector<std::byte> family_bytes(sa_family_t family, std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::memcpy(bytes.data(), &family, sizeof family);
  return bytes;
}

}  // namespace

TEST_CASE("a stopped call asks for the same thing on each architecture") {
  for (const Case& one : kCases) {
    CAPTURE(one.architecture);
    CAPTURE(one.number);
    const InterceptedCall asks = decode(data_of(one));
    CHECK(asks == one.asks);
    CHECK(std::string(name(asks)) == name(one.asks));
  }
}

TEST_CASE("i386's socketcall stands for the direct call with the arguments from memory") {
  struct Socketcall {
    std::uint64_t which;
    std::vector<std::uint32_t> stored;
    InterceptedCall asks;
  };
  const std::vector<Socketcall> socketcalls{{2, {3, 0x1000, 110}, call::Bind{3, {0x1000, 110}}},
                                            {3, {3, 0x1000, 110}, call::Connect{{0x1000, 110}}},
                                            {4, {3, 5}, call::Listen{3}},
                                            {13, {3, 2}, call::Shutdown{3}}};
  for (const auto& [which, stored, asks] : socketcalls) {
    CAPTURE(which);
    const seccomp_data data = data_of({kI386, 102, {which, 0x500}, {}});
    CHECK(decode(data) == InterceptedCall(call::Other{}));
    CHECK(stored_arguments(data) == StoredArguments{.at = 0x500, .count = stored.size()});
    CHECK(decode(direct_call(data, stored)) == asks);
  }
  CHECK_FALSE(stored_arguments(data_of({kI386, 102, {1, 0x500}, {}})));
  CHECK_FALSE(stored_arguments(data_of({kX86_64, 102, {2, 0x500}, {}})));
}

TEST_CASE("a socket's name ends where the kernel ends it") {
  using std::string_literals::operator""s;
  CHECK(parse_socket_name(unix_bytes("/run/a")) == SocketName(PathName{"/run/a"}));
  CHECK(parse_socket_name(unix_bytes("/run/a\0"s)) == SocketName(PathName{"/run/a"}));
  CHECK(parse_socket_name(unix_bytes("/run/a\0rest"s)) == SocketName(PathName{"/run/a"}));
  const std::string longest(108, 'x');
  CHECK(parse_socket_name(unix_bytes(longest)) == SocketName(PathName{longest}));
  CHECK(parse_socket_name(unix_bytes(longest + "x")) == SocketName(OtherName{}));
  CHECK(parse_socket_name(unix_bytes("\0name"s)) == SocketName(AbstractName{"name"}));
  CHECK(parse_socket_name(unix_bytes("\0na\0me\0"s)) == SocketName(AbstractName{"na\0me\0"s}));
  CHECK(parse_socket_name(unix_bytes("")) == SocketName(OtherName{}));
}

TEST_CASE("addresses of other families, and none at all") {
  CHECK(parse_socket_name({}) == SocketName(OtherName{}));
  CHECK(parse_socket_name(family_bytes(AF_INET, sizeof(sockaddr_in))) ==
        SocketName(InternetName{}));
  CHECK(parse_socket_name(family_bytes(AF_INET6, sizeof(sockaddr_in6))) ==
        SocketName(InternetName{}));
  CHECK(parse_socket_name(family_bytes(AF_NETLINK, 12)) == SocketName(OtherName{}));
  CHECK(parse_socket_name(std::array{std::byte{1}}) == SocketName(OtherName{}));
}

}  // namespace perch::test
