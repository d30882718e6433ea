// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/own_listener.h"

#include <sys/stat.h>

#include "common/posix/unix_socket.h"

namespace perch::peer {
namespace {

constexpr int kBacklog = 4096;

}  // namespace

Result<UniqueFd> own_listener(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return std::unexpected(address.error());
  auto socket = unix_socket(SOCK_STREAM, Blocking::No);
  if (!socket) return socket;
  // Before bind: the file is born with the mode (and never wider than the umask allows).
  if (::fchmod(socket->get(), 0660) != 0) return fail("chmod " + path);
  if (::bind(socket->get(), address->get(), address->size) != 0) {
    const bool taken = errno == EADDRINUSE;
    return fail(taken ? "bind " + path + " (left behind? remove it, or let perch own it)"
                      : "bind " + path);
  }
  if (::listen(socket->get(), kBacklog) != 0) return fail("listen " + path);
  return socket;
}

}  // namespace perch::peer
