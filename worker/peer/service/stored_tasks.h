// SPDX-License-Identifier: Apache-2.0
// StoredTasks: what the calls about stored tasks answer, on the loop. What a client sends as a task
// id is looked at before any path is made of it.
#pragma once

#include <dfdaemon.pb.h>
#include <google/protobuf/empty.pb.h>
#include <grpcpp/support/status.h>

#include <expected>
#include <string>

#include "worker/peer/download/downloads.h"
#include "worker/peer/store/store.h"

namespace perch::peer {

class StoredTasks {
 public:
  template <class Message>
  using Answer = std::expected<Message, grpc::Status>;

  StoredTasks(const Store& store, Downloads& downloads) : store_(store), downloads_(downloads) {}

  // INVALID_ARGUMENT for what is no task id, NOT_FOUND where there is no such task.
  [[nodiscard]] Answer<common::v2::Task> stat(const std::string& id) const;
  [[nodiscard]] Answer<dfdaemon::v2::StatLocalTaskResponse> stat_local(const std::string& id) const;
  // FAILED_PRECONDITION while somebody downloads it.
  [[nodiscard]] Answer<google::protobuf::Empty> remove(const std::string& id) const;

  // Those used last come first; what would make the message longer than any client takes (4 MiB by
  // default) is left out and counted.
  struct List {
    dfdaemon::v2::ListLocalTasksResponse tasks;
    std::size_t left_out = 0;
  };
  [[nodiscard]] List list() const;

 private:
  [[nodiscard]] Answer<TaskSummary> find(const std::string& id) const;

  const Store& store_;
  Downloads& downloads_;
};

}  // namespace perch::peer
