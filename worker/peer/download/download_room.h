// SPDX-License-Identifier: Apache-2.0
// DownloadRoom: what downloads work with and share. All of it outlives every one of them.
#pragma once

#include "common/loop/loop.h"
#include "worker/peer/download/connection_slots.h"
#include "worker/peer/download/curl_loop.h"
#include "worker/peer/download/download_options.h"
#include "worker/peer/download/token_bucket.h"
#include "worker/peer/download/traffic.h"
#include "worker/peer/store/store.h"

namespace perch::peer {

struct DownloadRoom {
  Loop& loop;
  CurlLoop& curl;
  const Store& store;
  const DownloadOptions& options;
  ConnectionSlots& slots;
  TokenBucket& rate_in_all;
  Traffic& traffic;
};

}  // namespace perch::peer
