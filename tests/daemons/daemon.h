// SPDX-License-Identifier: Apache-2.0
// Daemon: a program as its distribution or its author ships it. It binds its Unix socket itself and
// knows nothing of perch. Each is one function below: its files are made in a fresh directory, and
// its socket lies there too.
#pragma once

#include <pwd.h>

#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {

// What shows that a daemon took a new configuration.
enum class Reload {
  Unknown,      // it has no such signal
  InPlace,      // it serves on
  NewChildren,  // its children are replaced
};

struct Daemon {
  std::string name;     // in the results
  std::string package;  // Debian's, or that of its compiler
  std::string program;  // a name found in PATH, or a path
  // Writes what it needs into the directory; the command to start it.
  std::vector<std::string> (*set_up)(const Daemon&, const TemporaryDirectory&);
  std::string request = "ping\n";
  std::string answer = "pong\n";  // begins so
  Reload reload = Reload::Unknown;
  std::string reload_signal = "SIGHUP";
  std::string user{};  // empty: root
  bool keeps_capabilities = true;
  std::string socket = "api.sock";

  [[nodiscard]] std::string socket_in(const TemporaryDirectory& directory) const {
    return directory.path(socket);
  }
  // The directory becomes the user's; what is needed is in it afterwards.
  [[nodiscard]] std::vector<std::string> command_in(const TemporaryDirectory& directory) const;
  [[nodiscard]] bool is_there() const;
  // Of its package; empty where it is not Debian's.
  [[nodiscard]] std::string version() const;
};

Daemon nginx();
Daemon gunicorn();
Daemon haproxy();
Daemon haproxy_master_worker();
Daemon redis();
Daemon memcached();
Daemon lighttpd();
Daemon socat();
Daemon node();
Daemon python_http();
Daemon postgresql();
Daemon rust_server();
Daemon static_go_server();
Daemon static_musl_server();

const passwd& account_of(const std::string& user);  // throws where there is none
// The command, run as the daemon's user.
std::vector<std::string> as_user(const Daemon& daemon, std::vector<std::string> command);

}  // namespace perch::test
