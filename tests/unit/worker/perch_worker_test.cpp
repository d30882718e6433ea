// SPDX-License-Identifier: Apache-2.0
#include "worker/library/perch_worker.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"

namespace perch {

TEST_CASE("a worker in C hears the same events") {
  auto pair = seqpacket_pair();
  perch_worker* worker = nullptr;
  REQUIRE(perch_worker_open(pair->second.release(), &worker) == 0);
  CHECK(receive_datagram(pair->first.get())->payload == "HELLO=1\n");
  perch_worker_event event{};
  CHECK(perch_worker_next_event(worker, &event) == 0);

  const auto socket = unix_socket(SOCK_STREAM, Blocking::No);
  const int fds[] = {socket->get()};
  REQUIRE(send_datagram(pair->first.get(), "LISTEN_FDS=1\nLISTEN_FDNAMES=api", fds).has_value());
  REQUIRE(perch_worker_next_event(worker, &event) == 1);
  CHECK(event.kind == PERCH_WORKER_LISTENER);
  CHECK(std::string(event.name) == "api");
  const UniqueFd listener(event.fd);
  CHECK(listener.get() >= 0);

  REQUIRE(send_datagram(pair->first.get(), "DRAIN=1\nDEADLINE_USEC=7").has_value());
  REQUIRE(perch_worker_next_event(worker, &event) == 1);
  CHECK(event.kind == PERCH_WORKER_DRAIN);
  CHECK(event.deadline_usec == 7);
  CHECK(event.fd == -1);

  REQUIRE(send_datagram(pair->first.get(), "LISTEN_FDS=1").has_value());
  CHECK(perch_worker_next_event(worker, &event) == -EBADMSG);

  CHECK(perch_worker_ready(worker) == 0);
  CHECK(receive_datagram(pair->first.get())->payload == "READY=1\n");
  pair->first.reset();
  CHECK(perch_worker_ready(worker) == -EPIPE);
  REQUIRE(perch_worker_next_event(worker, &event) == 1);
  CHECK(event.kind == PERCH_WORKER_GONE);
  perch_worker_close(worker);
}

TEST_CASE("a worker in C that perch did not start is told so") {
  ::unsetenv("PERCH_CHANNEL");
  perch_worker* worker = nullptr;
  CHECK(perch_worker_open(PERCH_WORKER_FROM_ENVIRONMENT, &worker) == -ENOENT);
  CHECK(worker == nullptr);
}

}  // namespace perch
