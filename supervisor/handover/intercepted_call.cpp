// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/intercepted_call.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/net.h>

#include <algorithm>
#include <array>

namespace perch::handover {
namespace {

using Arguments = std::array<std::uint64_t, 6>;
using Decoder = InterceptedCall (*)(const Arguments&);

// The kernel, too, takes the lower half of the register.
int number(std::uint64_t argument) {
  return static_cast<int>(static_cast<std::uint32_t>(argument));
}
AddressArgument address(const Arguments& of) {
  return {.at = of[1], .size = static_cast<std::uint32_t>(of[2])};
}

InterceptedCall bind(const Arguments& of) { return call::Bind{number(of[0]), address(of)}; }
InterceptedCall connect(const Arguments& of) { return call::Connect{address(of)}; }
InterceptedCall listen(const Arguments& of) { return call::Listen{number(of[0])}; }
InterceptedCall shutdown(const Arguments& of) { return call::Shutdown{number(of[0])}; }
InterceptedCall unlink(const Arguments& of) { return call::Unlink{{AT_FDCWD, of[0]}}; }
InterceptedCall unlinkat(const Arguments& of) {
  if ((number(of[2]) & AT_REMOVEDIR) != 0) return call::Other{};
  return call::Unlink{{number(of[0]), of[1]}};
}
InterceptedCall rename(const Arguments& of) {
  return call::Rename{{AT_FDCWD, of[0]}, {AT_FDCWD, of[1]}};
}
InterceptedCall renameat(const Arguments& of) {
  return call::Rename{{number(of[0]), of[1]}, {number(of[2]), of[3]}};
}
InterceptedCall chmod(const Arguments& of) { return call::Chmod{{AT_FDCWD, of[0]}}; }
InterceptedCall fchmodat(const Arguments& of) { return call::Chmod{{number(of[0]), of[1]}}; }

struct Row {
  int number;
  Decoder decoder;
};

constexpr auto kX86_64 = std::to_array<Row>({{42, connect},
                                             {48, shutdown},
                                             {49, bind},
                                             {50, listen},
                                             {82, rename},
                                             {87, unlink},
                                             {90, chmod},
                                             {263, unlinkat},
                                             {264, renameat},
                                             {268, fchmodat},
                                             {316, renameat},
                                             {452, fchmodat}});
constexpr auto kI386 = std::to_array<Row>({{10, unlink},
                                           {15, chmod},
                                           {38, rename},
                                           {301, unlinkat},
                                           {302, renameat},
                                           {306, fchmodat},
                                           {353, renameat},
                                           {361, bind},
                                           {362, connect},
                                           {363, listen},
                                           {373, shutdown},
                                           {452, fchmodat}});
constexpr auto kAarch64 = std::to_array<Row>({{35, unlinkat},
                                              {38, renameat},
                                              {53, fchmodat},
                                              {200, bind},
                                              {201, listen},
                                              {203, connect},
                                              {210, shutdown},
                                              {276, renameat},
                                              {452, fchmodat}});

std::span<const Row> calls_of(std::uint32_t architecture) {
  switch (architecture) {
    case AUDIT_ARCH_X86_64:
      return kX86_64;
    case AUDIT_ARCH_I386:
      return kI386;
    case AUDIT_ARCH_AARCH64:
      return kAarch64;
    default:
      return {};
  }
}

// The upper halves are nobody's in a 32-bit call.
Arguments arguments_of(const seccomp_data& data) {
  Arguments arguments{};
  std::ranges::copy(data.args, arguments.begin());
  if (data.arch == AUDIT_ARCH_I386) {
    for (std::uint64_t& argument : arguments) argument = static_cast<std::uint32_t>(argument);
  }
  return arguments;
}

constexpr int kSocketcall = 102;
struct SocketcallRow {
  std::uint64_t which;
  int direct;
  std::size_t arguments;
};
constexpr auto kSocketcalls = std::to_array<SocketcallRow>(
    {{SYS_BIND, 361, 3}, {SYS_CONNECT, 362, 3}, {SYS_LISTEN, 363, 2}, {SYS_SHUTDOWN, 373, 2}});

const SocketcallRow* socketcall_row(const seccomp_data& data) {
  if (data.arch != AUDIT_ARCH_I386 || data.nr != kSocketcall) return nullptr;
  const std::uint64_t which = arguments_of(data)[0];
  const auto* const row = std::ranges::find(kSocketcalls, which, &SocketcallRow::which);
  return row == kSocketcalls.end() ? nullptr : row;
}

}  // namespace

InterceptedCall decode(const seccomp_data& data) {
  const std::span<const Row> calls = calls_of(data.arch);
  const auto row = std::ranges::find(calls, data.nr, &Row::number);
  if (row == calls.end()) return call::Other{};
  return row->decoder(arguments_of(data));
}

const char* name(const InterceptedCall& call) {
  static constexpr std::array<const char*, std::variant_size_v<InterceptedCall>> kCalls{
      "a call", "bind", "connect", "listen", "shutdown", "unlink", "rename", "chmod"};
  return kCalls.at(call.index());
}

std::optional<StoredArguments> stored_arguments(const seccomp_data& data) {
  const SocketcallRow* const row = socketcall_row(data);
  if (row == nullptr) return std::nullopt;
  return StoredArguments{.at = arguments_of(data)[1], .count = row->arguments};
}

seccomp_data direct_call(seccomp_data data, std::span<const std::uint32_t> stored) {
  const SocketcallRow* const row = socketcall_row(data);
  if (row == nullptr) return data;
  data.nr = row->direct;
  std::ranges::fill(data.args, 0);
  std::ranges::copy(stored.first(std::min(stored.size(), row->arguments)), data.args);
  return data;
}

}  // namespace perch::handover
