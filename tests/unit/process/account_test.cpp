// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/account.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/temporary_directory.h"

using namespace perch;
using namespace perch::process;

namespace {

class Files {
 public:
  Files() {
    test::write_text(directory_.path("passwd"),
                     "root:x:0:0:root:/root:/bin/bash\n"
                     "# a comment, as some images have\n"
                     "broken line\n"
                     "app:x:1500:1600:App,,,:/srv/app:/usr/sbin/nologin\n"
                     "4242:x:77:78::/:/bin/sh\n");
    test::write_text(directory_.path("group"),
                     "root:x:0:\n"
                     "app:x:1600:\n"
                     "audio:x:29:other,app\n"
                     "disk:x:6:other\n"
                     "app-data:x:1700:app\n"
                     "again:x:29:app\n");
  }
  [[nodiscard]] AccountFiles paths() const {
    return {.passwd = directory_.path("passwd"), .group = directory_.path("group")};
  }

 private:
  test::TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE("a user's account has its own group and those that list it") {
  const Files files;
  const auto account = resolve_account("app", "", files.paths());
  REQUIRE(account.has_value());
  CHECK(account->uid == 1500);
  CHECK(account->gid == 1600);
  CHECK((account->groups == std::vector<gid_t>{29, 1600, 1700}));
  CHECK(account->name == "app");
  CHECK(account->home == "/srv/app");
}

TEST_CASE("a number with an entry is the same account as its name") {
  const Files files;
  const auto account = resolve_account("1500", "", files.paths());
  REQUIRE(account.has_value());
  CHECK(account->name == "app");
  CHECK((account->groups == std::vector<gid_t>{29, 1600, 1700}));
}

TEST_CASE("a given group replaces the user's own, and the listed ones stay") {
  const Files files;
  const auto account = resolve_account("app", "disk", files.paths());
  REQUIRE(account.has_value());
  CHECK(account->gid == 6);
  CHECK((account->groups == std::vector<gid_t>{6, 29, 1700}));
}

TEST_CASE("a number without an entry needs a group and gets no other") {
  const Files files;
  const auto account = resolve_account("9999", "9998", files.paths());
  REQUIRE(account.has_value());
  CHECK(account->uid == 9999);
  CHECK((account->groups == std::vector<gid_t>{9998}));
  CHECK(account->home == "/");

  const auto refused = resolve_account("9999", "", files.paths());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text() == "user 9999: " + files.paths().passwd +
                                      " has no entry to take its group from; set group as well");
}

TEST_CASE("a name that looks like a number wins") {
  const Files files;
  CHECK(resolve_user("4242", files.paths()).value_or(0) == 77);
}

TEST_CASE("an unknown name is refused with the file that lacks it") {
  const Files files;
  const auto user = resolve_user("nemo", files.paths());
  REQUIRE_FALSE(user.has_value());
  CHECK(user.error().text() == "user \"nemo\": " + files.paths().passwd +
                                   " has no such user; use one that it has, or a number");
  const auto group = resolve_group("nemo", files.paths());
  REQUIRE_FALSE(group.has_value());
  CHECK(group.error().text().contains("has no such group"));
  CHECK_FALSE(resolve_account("app", "nemo", files.paths()).has_value());
}

TEST_CASE("numbers are whole and never the one that means no change") {
  const Files files;
  CHECK(resolve_user("0", files.paths()).value_or(1) == 0);
  CHECK(resolve_group("4294967294", files.paths()).value_or(0) == 4294967294U);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "1x", "4294967295", "4294967296"}) {
    CAPTURE(text);
    CHECK_FALSE(resolve_user(text, files.paths()).has_value());
    CHECK_FALSE(resolve_group(text, files.paths()).has_value());
  }
}

TEST_CASE("without the files numbers still work") {
  const test::TemporaryDirectory empty;
  const AccountFiles files{.passwd = empty.path("passwd"), .group = empty.path("group")};
  CHECK(resolve_account("1000", "1000", files).has_value());
  CHECK_FALSE(resolve_account("root", "", files).has_value());
}

TEST_CASE("root is found in the system's own files") {
  const auto account = resolve_account("root", "");
  REQUIRE(account.has_value());
  CHECK(account->uid == 0);
  CHECK(account->gid == 0);
  CHECK(account->home == "/root");
}
