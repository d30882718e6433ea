// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/spawn_remedy.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

namespace perch::process {
namespace {

std::string for_missing(const std::string& program) {
  if (program.contains(' ')) {
    return "no shell splits the command: write the program and each argument by itself";
  }
  if (!program.contains('/')) return "it is in no directory of PATH: write its whole path";
  if (::access(program.c_str(), F_OK) != 0) return "check the path, and that it is in this image";
  return "the file is there, the interpreter or loader it names is not: install that";
}

bool is_on_noexec(const std::string& program) {
  struct statvfs found{};
  return ::statvfs(program.c_str(), &found) == 0 && (found.f_flag & ST_NOEXEC) != 0;
}

std::string for_forbidden(const std::string& program) {
  struct stat found{};
  if (program.contains('/') && ::stat(program.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return "it is a directory: name a program in it";
    if ((found.st_mode & 0111U) == 0) return "make it executable: chmod +x " + program;
    if (is_on_noexec(program)) return "its file system is mounted noexec: put it on another";
  }
  return "the worker's user may not execute it: change its rights, its directories', or the user";
}

std::string for_exec(const SpawnFailure& failure) {
  switch (failure.error) {
    case ENOENT:
    case ENOTDIR:
      return for_missing(failure.subject);
    case EACCES:
      return for_forbidden(failure.subject);
    case ENOEXEC:
      return "it is no program for this machine, nor a script with a first line such as #!/bin/sh";
    case E2BIG:
      return "shorten its arguments and environment";
    default:
      return "";
  }
}

std::string for_directory(int error) {
  if (error == ENOENT) return "make it, mount it, or change workers.NAME.directory";
  return "let the worker's user enter it, or change workers.NAME.directory";
}

std::string for_filter(int error) {
  switch (error) {
    case EACCES:
      return "a filter takes CAP_SYS_ADMIN or no_new_privs, and a security module refuses both: "
             "change its policy, or use another hand-over";
    case EBUSY:
      return "the container's runtime or perch's parent already listens to a filter "
             "(SCMP_ACT_NOTIFY), and the kernel allows one: take it out of the seccomp profile, or "
             "use another hand-over";
    case EPERM:
      return "the container's seccomp profile forbids seccomp(2): allow it there, or use another "
             "hand-over";
    case EINVAL:
    case ENOSYS:
      return "it takes seccomp user notification (Linux 5.9 or later, a profile that allows "
             "seccomp(2)): update the kernel, or use another hand-over";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n, fs.file-max)";
    default:
      return "";
  }
}

}  // namespace

std::string spawn_remedy(const SpawnFailure& failure) {
  switch (failure.stage) {
    case Stage::Exec:
      return for_exec(failure);
    case Stage::Directory:
      return for_directory(failure.error);
    case Stage::Groups:
    case Stage::Group:
    case Stage::User:
      return "run perch as root (CAP_SETUID, CAP_SETGID), or leave user and group out";
    case Stage::Rlimit:
      return "lower it to perch's own hard limit, or give perch CAP_SYS_RESOURCE";
    case Stage::Intercept:
      return for_filter(failure.error);
    case Stage::Clone:
      return "raise the limit of processes and memory (pids.max, ulimit -u, memory.max)";
    case Stage::Signals:
    case Stage::Session:
    case Stage::Descriptors:
    case Stage::Cgroup:
    case Stage::OomScore:
    case Stage::Capabilities:
    case Stage::DeathSignal:
      return "";
  }
  return "";
}

}  // namespace perch::process
