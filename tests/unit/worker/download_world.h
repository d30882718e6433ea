// SPDX-License-Identifier: Apache-2.0
// DownloadWorld: downloads in this very process, into a store that outlives them. Callers wait for
// them as calls do.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/temporary_directory.h"
#include "tests/unit/worker/origin_server.h"
#include "worker/peer/download/downloads.h"

namespace perch::test {

// Small, so that small files have many.
inline constexpr std::uint64_t kTestPiece = 64U << 10U;

// One that asks for a URL; leaves when it is destroyed.
class DownloadCaller final : public peer::Download::Subscriber {
 public:
  DownloadCaller(peer::Downloads& downloads, peer::DownloadSpec spec);
  ~DownloadCaller() override { download_->unsubscribe(*this); }
  DownloadCaller(const DownloadCaller&) = delete;
  DownloadCaller& operator=(const DownloadCaller&) = delete;

  void on_progress() override {}
  [[nodiscard]] const peer::Download& download() const noexcept { return *download_; }
  [[nodiscard]] bool ended() const;
  // The verdict on its digest counts, too.
  [[nodiscard]] std::optional<peer::Failure::Kind> failure() const;
  // "sha256:<hex>" of what is stored.
  [[nodiscard]] std::string sha256() const;
  [[nodiscard]] std::uint64_t bytes_stored() const;

 private:
  std::optional<peer::Digest> digest_;
  std::shared_ptr<peer::Download> download_;
};

class DownloadWorld {
 public:
  explicit DownloadWorld(peer::DownloadOptions options = {});

  [[nodiscard]] static peer::DownloadSpec spec(const std::string& url,
                                               const std::string& digest = {});
  [[nodiscard]] std::unique_ptr<DownloadCaller> join(const std::string& url,
                                                     const std::string& digest = {});
  // Joins, and runs to the end.
  [[nodiscard]] std::unique_ptr<DownloadCaller> get(const std::string& url,
                                                    const std::string& digest = {});
  // The next process, with the same store; no caller may be left.
  void restart();
  // Runs until it holds, or for too long.
  [[nodiscard]] bool run_until(const std::function<bool()>& holds);

  [[nodiscard]] peer::Downloads& downloads() { return life_->downloads; }
  [[nodiscard]] const peer::Traffic& traffic() const { return life_->downloads.traffic(); }
  [[nodiscard]] const peer::Store& store() const { return life_->store; }
  [[nodiscard]] Loop& loop() { return life_->loop; }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path(name); }

 private:
  struct Life {
    Loop loop;
    peer::Store store;
    peer::Downloads downloads;
    Life(const std::string& directory, const peer::DownloadOptions& options);
  };
  TemporaryDirectory directory_;
  peer::DownloadOptions options_;
  std::unique_ptr<Life> life_;
};

}  // namespace perch::test
