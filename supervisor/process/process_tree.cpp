// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/process_tree.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <set>

#include "common/posix/file.h"
#include "supervisor/process/worker_cgroup.h"

namespace perch::process {
namespace {

constexpr unsigned kExiting = 0x4;  // PF_EXITING, include/linux/sched.h
constexpr std::uint64_t kKillPending = std::uint64_t{1} << (SIGKILL - 1);
constexpr std::size_t kEnvironmentLimit = 4U << 20U;

std::string proc(pid_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(file);
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const std::size_t start = text.find_first_not_of(" \n");
  if (start == std::string_view::npos) return false;
  text.remove_prefix(start);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool has_tag(pid_t pid, const std::string& tag) {
  const auto environment = read_file(proc(pid, "environ"), kEnvironmentLimit);
  if (!environment) return false;
  const std::string entry = tag + '\0';
  return environment->starts_with(entry) || environment->find('\0' + entry) != std::string::npos;
}

bool names_any_generation(pid_t pid) {
  const auto environment = read_file(proc(pid, "environ"), kEnvironmentLimit);
  return environment &&
         (environment->starts_with("PERCH_GENERATION=") ||
          environment->find(std::string("\0PERCH_GENERATION=", 18)) != std::string::npos);
}

// Between its SIGKILL and its exit a process may wait long for a processor, or in the kernel.
bool was_killed(pid_t pid) {
  const auto status = read_file(proc(pid, "status"));
  if (!status) return true;
  for (const std::string_view key : {"SigPnd:", "ShdPnd:"}) {
    const std::size_t at = status->find(key);
    if (at == std::string::npos) continue;
    std::string_view rest = std::string_view(*status).substr(at + key.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    std::uint64_t pending = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), pending, 16);
    if ((pending & kKillPending) != 0) return true;
  }
  return false;
}

// Kills exactly the process that `stat` was read from.
bool kill_exactly(const ProcessStat& stat) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, stat.pid, 0)));
  if (!pidfd) return false;
  ProcessStat again;
  if (!read_stat(stat.pid, again) || again.start_time != stat.start_time) return false;
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0;
}

bool is_zombie(const ProcessStat& stat) { return stat.state == 'Z' || stat.state == 'X'; }

// `root` and all below it. What forks meanwhile is found by the next sweep: its parent dies now.
void kill_subtree(const ProcessStat& root, std::vector<pid_t>& killed) {
  for (const pid_t child : children_of(root.pid)) {
    ProcessStat stat;
    if (read_stat(child, stat) && stat.parent == root.pid) kill_subtree(stat, killed);
  }
  if (is_zombie(root)) return;
  kill_exactly(root);
  // Counted even if the signal was refused: it is there, and it is ours to get rid of.
  killed.push_back(root.pid);
}

// Members that are no children of ours yet; their parents die too, then they are.
void kill_cgroup(const WorkerCgroup* cgroup, std::vector<pid_t>& killed) {
  if (cgroup == nullptr || !cgroup->populated().value_or(false)) return;
  const auto members = cgroup->members();
  if (cgroup->kill() && members) killed.insert(killed.end(), members->begin(), members->end());
}

bool is_member(const WorkerCgroup* cgroup, pid_t pid) {
  if (cgroup == nullptr) return false;
  const auto members = cgroup->members();
  return members && std::ranges::find(*members, pid) != members->end();
}

enum class Kin { Ours, Anothers, Unknown };

Kin kin_of(const ProcessStat& orphan, const Lineage& lineage, Orphans orphans) {
  if (orphans == Orphans::OfOneWorker) return Kin::Ours;
  if (orphan.session == lineage.session || orphan.group == lineage.session) return Kin::Ours;
  if (has_tag(orphan.pid, lineage.tag) || is_member(lineage.cgroup, orphan.pid)) return Kin::Ours;
  if (names_any_generation(orphan.pid)) return Kin::Anothers;
  // One that is on its way out has lost its environment already: it is waited for.
  return is_exiting(orphan.pid) ? Kin::Ours : Kin::Unknown;
}

void add_subtree(pid_t root, std::set<pid_t>& found) {
  if (!found.insert(root).second) return;
  for (const pid_t child : children_of(root)) add_subtree(child, found);
}

void end_child(pid_t child, const Lineage& lineage, Orphans orphans, Sweep& sweep) {
  ProcessStat stat;
  if (!read_stat(child, stat) || is_zombie(stat)) return;
  switch (child == lineage.leader ? Kin::Ours : kin_of(stat, lineage, orphans)) {
    case Kin::Ours:
      return kill_subtree(stat, sweep.killed);
    case Kin::Unknown:
      ++sweep.unattributed;
      return;
    case Kin::Anothers:
      return;
  }
}

}  // namespace

bool parse_stat(std::string_view text, ProcessStat& stat) {
  if (!take_number(text, stat.pid)) return false;
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || name_end + 3 > text.size()) return false;
  stat.state = text[name_end + 2];
  text.remove_prefix(name_end + 3);
  long long skipped = 0;
  bool complete = take_number(text, stat.parent) && take_number(text, stat.group) &&
                  take_number(text, stat.session) && take_number(text, skipped) &&
                  take_number(text, skipped) && take_number(text, stat.flags);
  // Fields 10 to 21 lie between the flags and the start time (proc(5)).
  for (int field = 10; complete && field <= 21; ++field) {
    unsigned long long any = 0;
    complete = take_number(text, any) || take_number(text, skipped);
  }
  return complete && take_number(text, stat.start_time);
}

bool read_stat(pid_t pid, ProcessStat& stat) {
  const auto text = read_file(proc(pid, "stat"));
  return text && parse_stat(*text, stat);
}

bool is_exiting(pid_t pid) {
  ProcessStat stat;
  return !read_stat(pid, stat) || is_zombie(stat) || (stat.flags & kExiting) != 0 ||
         was_killed(pid);
}

std::string describe(pid_t pid) {
  ProcessStat stat;
  if (!read_stat(pid, stat)) return "pid " + std::to_string(pid) + " (gone)";
  std::string name = read_file(proc(pid, "comm")).value_or("?");
  if (name.ends_with('\n')) name.pop_back();
  const std::string where = read_file(proc(pid, "wchan")).value_or("");
  return "pid " + std::to_string(pid) + " (" + name + ", state " + stat.state +
         (where.empty() || where == "0" ? "" : " in " + where) + ")";
}

bool descends_from(pid_t pid, pid_t ancestor) {
  ProcessStat stat;
  while (pid > 1 && read_stat(pid, stat)) {
    if (stat.parent == ancestor) return true;
    pid = stat.parent;
  }
  return false;
}

Result<UniqueFd> open_child_pidfd(pid_t pid) {
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return fail("pidfd_open");
  ProcessStat stat;
  // Our child cannot be recycled before we reap it, so its parent proves whom the pidfd means.
  if (!read_stat(pid, stat) || stat.parent != ::getpid()) return fail("pidfd_open", ECHILD);
  return pidfd;
}

bool is_of(const Lineage& lineage, pid_t pid, Orphans orphans) {
  ProcessStat stat;
  return read_stat(pid, stat) && descends_from(pid, ::getpid()) &&
         kin_of(stat, lineage, orphans) == Kin::Ours;
}

std::vector<pid_t> list_tree(const Lineage& lineage, const OwnChildren& children,
                             const std::function<bool(pid_t)>& is_main, Orphans orphans) {
  std::set<pid_t> found;
  for (const pid_t child : children.list()) {
    ProcessStat stat;
    const bool ours = child == lineage.leader || (!is_main(child) && read_stat(child, stat) &&
                                                  kin_of(stat, lineage, orphans) == Kin::Ours);
    if (ours) add_subtree(child, found);
  }
  if (lineage.cgroup != nullptr) {
    const auto members = lineage.cgroup->members();
    if (members) found.insert(members->begin(), members->end());
  }
  return {found.begin(), found.end()};
}

Sweep kill_tree(const Lineage& lineage, const OwnChildren& children,
                const std::function<bool(pid_t)>& is_main, Orphans orphans) {
  Sweep sweep;
  std::set<pid_t> seen;
  // One that is found dead may have left us its children after the list was read: until a list
  // brings nobody new. A dead main process has left us its own before its death was told.
  for (bool news = true; news;) {
    news = false;
    for (const pid_t child : children.list()) {
      if (child != lineage.leader && is_main(child)) continue;
      if (!seen.insert(child).second) continue;
      news = true;
      end_child(child, lineage, orphans, sweep);
    }
  }
  kill_cgroup(lineage.cgroup, sweep.killed);
  return sweep;
}

}  // namespace perch::process
