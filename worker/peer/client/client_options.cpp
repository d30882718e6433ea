// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/client_options.h"

namespace perch::peer {
namespace {

constexpr const char* kGetStatus =
    "Exit status: 0 done, 1 the output cannot be written, 2 usage, 3 refused by the peer or the\n"
    "origin, 4 not done in time, 5 wrong digest.";
constexpr const char* kStatStatus =
    "Exit status: 0 done, 1 the output cannot be written, 2 usage, 3 refused by the peer,\n"
    "4 not done in time, 6 no such task.";
constexpr const char* kListStatus =
    "Exit status: 0 done, 1 the output cannot be written, 2 usage, 3 refused by the peer,\n"
    "4 not done in time.";
constexpr const char* kRemoveStatus =
    "Exit status: 0 done, 2 usage, 3 refused by the peer, 4 not done in time, 6 no such task.";

void add_peer(CLI::App& command, PeerAddress& peer) {
  command.add_option("--socket", peer.socket, "The peer's socket")
      ->envname("PERCH_PEER_SOCKET")
      ->required();
  command
      .add_option("--timeout", peer.timeout_seconds, "Seconds in all, with all that is asked again")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
}

}  // namespace

ClientCommands::ClientCommands(CLI::App& app)
    : get_(add_get(app)),
      stat_(add_task_command(app, stat_options_, "stat", "What the peer has stored of a task")),
      list_(add_task_command(app, list_options_, "ls", "What tasks the peer has stored")),
      remove_(add_task_command(app, remove_options_, "rm", "Remove a task from the peer's store")) {
  add_task(*stat_, stat_options_);
  add_task(*remove_, remove_options_);
  for (CLI::App* const command : {stat_, list_}) {
    command->add_flag("--json", json_, "For programs");
  }
  stat_->footer(kStatStatus);
  list_->footer(kListStatus);
  remove_->footer(kRemoveStatus);
}

CLI::App* ClientCommands::add_get(CLI::App& app) {
  GetOptions& options = get_options_;
  auto* get = app.add_subcommand("get", "Download a URL through a peer");
  get->add_option("url", options.url, "http or https")->required();
  get->add_option("-O,--output", options.output,
                  "The file to write, - for stdout; as the URL calls it unless told");
  get->add_flag("-f,--force", options.force, "Replace a file that exists");
  get->add_option("--digest", options.digest,
                  "What the file must have: sha256:, sha512:, crc32: or md5: and the sum in hex");
  get->add_option("--range", options.range, "Only these bytes: FIRST-LAST, counted from 0");
  get->add_option("--tag", options.tag, "Part of what makes it the same download");
  get->add_option("--header", options.headers, "NAME: VALUE, for the origin; may be repeated")
      ->allow_extra_args(false);
  auto* by_peer =
      get->add_flag("--output-by-peer", options.output_by_peer, "The peer writes the file");
  get->add_flag("--hard-link", options.hard_link, "As a link to what the peer has stored")
      ->needs(by_peer);
  get->add_flag("-q,--quiet", options.quiet, "Say nothing but what goes wrong");
  add_peer(*get, options.peer);
  get->footer(kGetStatus);
  return get;
}

CLI::App* ClientCommands::add_task_command(CLI::App& app, TaskOptions& options, const char* name,
                                           const char* purpose) {
  auto* command = app.add_subcommand(name, purpose);
  add_peer(*command, options.peer);
  return command;
}

void ClientCommands::add_task(CLI::App& command, TaskOptions& options) {
  command.add_option("task", options.task, "A task's id, the beginning of one, or a URL")
      ->required();
  command.add_option("--tag", options.tag, "The tag that a URL was downloaded with");
}

ExitCode ClientCommands::run() {
  stat_options_.format = list_options_.format = json_ ? Format::Json : Format::People;
  if (*get_) return get(get_options_);
  if (*stat_) return stat_task(stat_options_);
  if (*list_) return list_tasks(list_options_);
  return remove_task(remove_options_);
}

}  // namespace perch::peer
