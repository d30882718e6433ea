// SPDX-License-Identifier: Apache-2.0
// HttpConnection: one client, from accept to close. It reads a request, answers it, and reads the
// next. Nothing it does waits, and nobody holds it open: a request that is not whole in time is
// answered 408, a reply that is not read in time is given up.
//   Reading -> Writing -> Reading     while the connection is kept
//                      -> Lingering   until the client, too, has hung up: closing with unread bytes
//                                     would reset the connection under the last reply
//           -> Streaming              until one of both hangs up; without a deadline, and without
//                                     work while there is nothing new
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/http/http_message.h"
#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch {

class HttpConnection {
 public:
  using Answer = std::function<HttpReply(const HttpRequest&)>;

  // `socket` is connected and non-blocking. `limit` holds for each of: waiting for a request,
  // receiving it, sending the reply, lingering. `on_closed` is called at most once, from the loop,
  // as the very last; it may destroy the connection.
  static Result<std::unique_ptr<HttpConnection>> create(Loop& loop, UniqueFd socket,
                                                        std::chrono::milliseconds limit,
                                                        Answer answer,
                                                        std::function<void()> on_closed);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Nothing is owed to the client: he has not sent a whole request, or has had his last answer.
  [[nodiscard]] bool waits() const noexcept {
    return state_ == State::Reading || state_ == State::Lingering;
  }
  [[nodiscard]] bool streams() const noexcept { return state_ == State::Streaming; }
  [[nodiscard]] int fd() const noexcept { return socket_.get(); }

 private:
  enum class State { Reading, Writing, Lingering, Streaming };
  enum class Progress { More, Blocked, Closed };

  HttpConnection(Loop& loop, UniqueFd socket, std::chrono::milliseconds limit, Answer answer,
                 std::function<void()> on_closed);
  void run();
  Progress step();
  Progress read();
  Progress write();
  Progress linger();
  Progress stream();
  Progress receive(std::string& into);
  Progress send();
  void reply(HttpReply reply, const HttpRequest& request);
  void enter(State state);
  void on_timer(std::chrono::milliseconds late);
  void close();

  UniqueFd socket_;
  std::chrono::milliseconds limit_;
  Answer answer_;
  std::function<void()> on_closed_;
  std::optional<FdWatcher> watcher_;
  Timer timer_;  // the state's deadline; Streaming: there is more
  State state_ = State::Reading;
  RequestReader reader_;
  std::string input_;   // received, not yet taken by the reader
  std::string output_;  // not yet sent
  std::unique_ptr<BodyStream> stream_;
  bool keep_alive_ = false;  // as the request being answered wants it
  int receives_left_ = 0;    // in this turn of the loop
  int answers_left_ = 0;     // likewise
};

}  // namespace perch
