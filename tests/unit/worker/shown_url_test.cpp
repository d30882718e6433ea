// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/shown_url.h"

#include <doctest/doctest.h>

namespace perch::peer {

TEST_CASE("a URL is shown without user and password, and is else as it was given") {
  CHECK(shown_url("http://me:secret@host:80/a?b=c#d") == "http://host:80/a?b=c#d");
  CHECK(shown_url("https://me@host") == "https://host");
  CHECK(shown_url("http://a:b@c:d@host/") == "http://host/");
  CHECK(shown_url("http:///me:secret@host/") == "http:///host/");
  CHECK(shown_url("http://@/") == "http:///");
  CHECK(shown_url("me:secret@host/file") == "host/file");
  for (const auto* url : {"http://host/a@b", "http://host?a@b", "http://host#a@b", "http://", ""}) {
    CHECK(shown_url(url) == url);
  }
}

}  // namespace perch::peer
