// SPDX-License-Identifier: Apache-2.0
// RuntimeDirectory: where perch puts the notify sockets of its workers: beside the control socket,
// else in a directory of its own below the temporary one, which goes with this object. Where
// neither can be written, names are abstract. What a killed perch left there is removed.
#pragma once

#include <cstdint>
#include <string>

namespace perch {

class RuntimeDirectory {
 public:
  // `control` is the control socket's path; empty: none. Its directory may come to be later: the
  // place is chosen when the first name is asked for.
  explicit RuntimeDirectory(std::string control);
  ~RuntimeDirectory();
  RuntimeDirectory(const RuntimeDirectory&) = delete;
  RuntimeDirectory& operator=(const RuntimeDirectory&) = delete;

  // A name that no other call has given, short enough for a socket; abstract ones begin with '@'.
  std::string next_socket_name();
  // For when the directory refuses what it allowed before: somebody cleaned it up. Chooses anew.
  std::string next_name_elsewhere();
  // For when no directory will do: it is full.
  std::string next_abstract_name();

 private:
  void choose();
  std::string next_name();

  std::string control_;
  std::string prefix_;  // of names: perch's pid is in it
  std::string directory_;
  bool made_ = false;
  bool chosen_ = false;
  std::uint64_t count_ = 0;
};

}  // namespace perch
