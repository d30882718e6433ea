// SPDX-License-Identifier: Apache-2.0
#include "tests/support/client_storm.h"

#include <sys/stat.h>

#include <cerrno>

#include "tests/support/client.h"

namespace perch::test {
namespace {

// False when nothing is there.
bool note_inode(const std::string& path, StormCounts& counts) {
  struct stat found{};
  const bool there = ::lstat(path.c_str(), &found) == 0;
  if (there) counts.inodes.insert(found.st_ino);
  return there;
}

void note_refusal(int error, StormCounts& counts) {
  switch (error) {
    case ECONNREFUSED:
      ++counts.refused;
      break;
    case ENOENT:
      break;  // counted with what stat found
    case EAGAIN:
      ++counts.full;
      break;
    default:
      ++counts.other;
      break;
  }
}

bool is_answer(const std::string& reply, const ClientStorm::Target& target) {
  return !reply.empty() && reply.starts_with(target.answer);
}

}  // namespace

void StormCounts::add(const StormCounts& other_counts) {
  connects += other_counts.connects;
  served += other_counts.served;
  refused += other_counts.refused;
  missing += other_counts.missing;
  full += other_counts.full;
  other += other_counts.other;
  lost += other_counts.lost;
  inodes.insert(other_counts.inodes.begin(), other_counts.inodes.end());
}

ClientStorm::ClientStorm(const Target& target, unsigned clients)
    : target_(target), counts_(clients) {
  for (StormCounts& counts : counts_) threads_.emplace_back([this, &counts] { run(counts); });
}

ClientStorm::~ClientStorm() { stop(); }

StormCounts ClientStorm::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  StormCounts total;
  for (const StormCounts& counts : counts_) total.add(counts);
  return total;
}

void ClientStorm::run(StormCounts& counts) {
  while (!stopping_) {
    const bool there = note_inode(target_.path, counts);
    ++counts.connects;
    Client client(target_.path);
    if (!there || client.error() == ENOENT) ++counts.missing;
    if (client.error() != 0) {
      note_refusal(client.error(), counts);
      ++turned_away_;
    } else if (client.send(target_.request) && is_answer(client.some(), target_)) {
      ++counts.served;
      ++served_;
    } else {
      ++counts.lost;
    }
  }
}

}  // namespace perch::test
