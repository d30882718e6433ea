// SPDX-License-Identifier: Apache-2.0
// Files that are not as the store left them: each is found out, said in one line, and costs no more
// than what it touches.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "common/posix/file.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/store_tools.h"

namespace perch::peer {
namespace {

namespace fs = std::filesystem;
using test::write_text;

// Two pieces of three, the last 300 bytes of a third.
void leave_unfinished(const StoreWorld& world) {
  auto files = world.open().create(kId, manifest_of(2500));
  REQUIRE(files.has_value());
  put(*files, 0, 'x');
  put(*files, 1, 'y');
  put(*files, 2, 'z', 300);
}

void leave_finished(const StoreWorld& world) { make_finished(world.open()); }

// As a download does: the number of pieces that are believed in the end.
std::uint32_t check_all(TaskFiles& files) {
  CHECK(files.needs_check());
  for (std::uint32_t number = 0; number < files.layout().count(); ++number) {
    if (files.done(number)) REQUIRE(files.verify(number).has_value());
  }
  REQUIRE(files.believe().has_value());
  return files.done_count();
}

}  // namespace

TEST_CASE("records that are torn, foreign or out of place are missing, the others are verified") {
  struct Row {
    const char* what;
    std::function<void(const std::string& state)> fault;
    std::uint32_t left;
  };
  const Row rows[] = {
      {"cut within a record", [](auto& state) { fs::resize_file(state, 16 + 7); }, 1},
      {"gone", [](auto& state) { fs::remove(state); }, 0},
      {"empty", [](auto& state) { fs::resize_file(state, 0); }, 0},
      {"text of another program", [](auto& state) { write_text(state, std::string(48, 'r')); }, 0},
      {"longer than it may be", [](auto& state) { fs::resize_file(state, 49); }, 2},
      {"far longer than it may be", [](auto& state) { fs::resize_file(state, 1ULL << 32U); }, 0},
      {"half of one record in another", [](auto& state) { damage(state, 16 + 9); }, 1},
      {"another count of bytes", [](auto& state) { damage(state, 1); }, 1},
      {"another checksum", [](auto& state) { damage(state, 4); }, 1},
      {"records in each other's place",
       [](auto& state) {
         const std::string text = read_file(state).value();
         write_text(state, text.substr(16, 16) + text.substr(0, 16) + text.substr(32));
       },
       0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const StoreWorld world;
    leave_unfinished(world);
    row.fault(world.path("state"));
    const Store store = world.open();
    CHECK(store.stat(kId)->pieces_done == row.left);
    auto files = store.find(kId);
    REQUIRE(files.has_value());
    CHECK(world.said_only("/state: torn or not ours"));
    CHECK(files->bytes_done(2) == 0);
    CHECK(check_all(*files) == row.left);
    CHECK(fs::file_size(world.path("state")) == 48);
    CHECK_FALSE(store.find(kId)->needs_check());
  }
}

TEST_CASE("data that is cut or grown has its pieces verified, and its length again") {
  struct Row {
    std::uint64_t size;
    std::uint32_t left;
  };
  for (const Row row : {Row{1500, 1}, Row{0, 0}, Row{2499, 2}, Row{2501, 2}, Row{100'000, 2}}) {
    CAPTURE(row.size);
    const StoreWorld world;
    leave_unfinished(world);
    fs::resize_file(world.path("data"), row.size);
    for (const char* process : {"killed before it believes", "the next one"}) {
      CAPTURE(process);
      CHECK(world.open().find(kId)->needs_check());
    }
    auto files = world.open().find(kId);
    CHECK(world.said().back().find("/data: " + std::to_string(row.size) +
                                   " bytes long, not 2500") != std::string::npos);
    CHECK(check_all(*files) == row.left);
    CHECK(fs::file_size(world.path("data")) == 2500);
  }
}

TEST_CASE("a finished file that somebody wrote into is not believed unseen") {
  const StoreWorld world;
  leave_finished(world);
  damage(world.path("data"), 1234);
  const Store store = world.open();
  CHECK_FALSE(store.stat(kId)->finished);
  auto files = store.find(kId);
  CHECK(world.said_only("/data: changed after it was finished"));
  CHECK(check_all(*files) == 2);
  CHECK(world.said().back().find("/data: piece 1: not the bytes that were recorded") !=
        std::string::npos);
  put(*files, 1, 'y');
  REQUIRE(files->mark_finished("").has_value());
  CHECK(store.stat(kId)->finished);
}

TEST_CASE("a finished file that was only touched is finished again after a look") {
  const StoreWorld world;
  leave_finished(world);
  fs::last_write_time(world.path("data"), fs::file_time_type::clock::now());
  const Store store = world.open();
  auto files = store.find(kId);
  CHECK(check_all(*files) == 3);
  CHECK(store.stat(kId)->finished);
  CHECK(store.stat(kId)->manifest.finished != std::chrono::sys_seconds());
  CHECK_FALSE(store.find(kId)->needs_check());
}

TEST_CASE("a task without a manifest of its own is none, and can be begun anew") {
  struct Row {
    const char* what;
    std::function<void(const std::string& manifest)> fault;
    const char* said;  // nothing where there is simply no task
  };
  const auto edit = [](const char* from, const char* to) {
    return [=](const std::string& manifest) {
      std::string text = read_file(manifest).value();
      text.replace(text.find(from), std::string_view(from).size(), to);
      text.resize(text.rfind("crc32c "));
      write_text(manifest, sealed(text));
    };
  };
  const Row rows[] = {
      {"missing", [](auto& manifest) { fs::remove(manifest); }, ""},
      {"empty", [](auto& manifest) { fs::resize_file(manifest, 0); }, "not a manifest of this"},
      {"cut", [](auto& manifest) { fs::resize_file(manifest, fs::file_size(manifest) - 1); },
       "damaged"},
      {"one bit", [](auto& manifest) { damage(manifest, 40); }, "damaged"},
      {"far too long", [](auto& manifest) { fs::resize_file(manifest, 2U << 20U); }, "too long"},
      {"of another version", edit("\"version\": 2", "\"version\": 1"), "not a manifest of this"},
      {"of another task", edit("\"id\": \"a", "\"id\": \"f"), "of another task"},
      {"another program's",
       [](auto& manifest) { write_text(manifest, sealed("{\"version\":2,\"url\":7}")); },
       "not a whole manifest"},
      {"of impossible pieces", edit("\"piece_length\": 1000", "\"piece_length\": 0"),
       "impossible length"},
      {"of an impossible length", edit("\"length\": 2500", "\"length\": 18446744073709551615"),
       "impossible length"},
      {"not even a file",
       [](auto& manifest) {
         fs::remove(manifest);
         REQUIRE(::mkfifo(manifest.c_str(), 0600) == 0);
       },
       "not a regular file"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const StoreWorld world;
    leave_finished(world);
    row.fault(world.path("manifest"));
    const Store store = world.open();
    CHECK(store.find(kId).error().is(ENOENT));
    CHECK((*row.said == '\0' ? world.said().empty() : world.said_only(row.said)));
    CHECK(store.census().tasks == 0);

    const auto files = store.create(kId, manifest_of(2500));
    REQUIRE(files.has_value());
    CHECK(files->done_count() == 0);
    CHECK(store.find(kId).has_value());
  }
}

TEST_CASE("a manifest that would be too long to be read is not written, and its task goes") {
  const StoreWorld world;
  const Store store = world.open();
  Manifest manifest = manifest_of(2500);
  manifest.url += std::string(600'000, '"');  // each two characters in JSON
  const auto files = store.create(kId, manifest);
  REQUIRE_FALSE(files.has_value());
  CHECK(files.error().text() == world.path("manifest") + ": URL or headers too long");
  CHECK(fs::is_empty(world.tasks()));
}

TEST_CASE("a manifest that is too long to be read is collected with its task") {
  const StoreWorld world;
  leave_finished(world);
  fs::resize_file(world.path("manifest"), 2U << 20U);
  const Store store = world.open();
  CHECK(store.collect({}, [](auto&) { return false; }).size() == 1);
  CHECK(fs::is_empty(world.tasks()));
}

TEST_CASE("a finished task that has to fetch a piece again is finished once that is there") {
  const StoreWorld world;
  leave_finished(world);
  const Store store = world.open();
  auto files = store.find(kId);
  REQUIRE(files.has_value());
  damage(world.path("data"), 1234);
  CHECK_FALSE(files->verify(1).value());
  CHECK(files->manifest().finished == std::chrono::sys_seconds());
  put(*files, 1, 'y');
  REQUIRE(files->mark_finished("").has_value());
  CHECK(store.stat(kId)->finished);
  CHECK_FALSE(store.find(kId)->needs_check());
}

TEST_CASE("a task without its data is none") {
  const StoreWorld world;
  leave_finished(world);
  fs::remove(world.path("data"));
  const Store store = world.open();
  CHECK(store.find(kId).error().is(ENOENT));
  CHECK(world.said_only("/data: missing: the task is begun anew"));
  CHECK(store.list().empty());
}

TEST_CASE("what is left of a manifest that was being written does no harm") {
  const StoreWorld world;
  leave_finished(world);
  write_text(world.directory() + "/other", "half");
  fs::create_hard_link(world.directory() + "/other", world.path("manifest.new"));
  const Store store = world.open();
  auto files = store.find(kId);
  REQUIRE(files.has_value());
  CHECK(content_of(*files).size() == 2500);
  REQUIRE(files->mark_finished("sha256:00").has_value());
  CHECK(store.find(kId)->manifest().digest == "sha256:00");
  CHECK(read_file(world.directory() + "/other") == "half");
}

TEST_CASE("entries of tasks/ that are not ours are named at the start, and left alone") {
  const StoreWorld world;
  leave_finished(world);
  fs::create_directories(world.tasks() + "/lost+found");
  write_text(world.tasks() + "/notes.txt", "mine");
  write_text(world.task(kOtherId), "a file that has a task's name");
  const Store store = world.open();
  CHECK(world.said().size() == 3);
  CHECK(store.census().tasks == 1);
  CHECK(store.collect({.max_bytes = 0, .max_age = {}}, [](auto&) { return false; }).size() == 1);
  CHECK(fs::exists(world.tasks() + "/lost+found"));
  CHECK(fs::exists(world.tasks() + "/notes.txt"));
  CHECK(fs::exists(world.task(kOtherId)));
}

TEST_CASE("a symbolic link is never followed, neither to read nor to write nor to remove") {
  const StoreWorld world;
  const StoreWorld elsewhere;
  leave_finished(elsewhere);
  SUBCASE("in a task's place") {
    {
      const Store store = world.open();
    }
    fs::create_directory_symlink(elsewhere.task(), world.task());
    const Store store = world.open();
    CHECK(world.said_only("not a task's directory: left alone"));
    CHECK_FALSE(store.find(kId).has_value());
    CHECK_FALSE(store.create(kId, manifest_of(10)).has_value());
    CHECK_FALSE(store.remove(kId).has_value());
    CHECK(store.collect({.max_bytes = 0, .max_age = {}}, [](auto&) { return false; }).empty());
  }
  for (const char* name : {"data", "state", "manifest"}) {
    SUBCASE(name) {
      leave_finished(world);
      fs::remove(world.path(name));
      fs::create_symlink(elsewhere.path(name), world.path(name));
      const Store store = world.open();
      CHECK_FALSE(store.find(kId).has_value());
      // Beginning anew replaces the link itself.
      CHECK(store.create(kId, manifest_of(10)).has_value());
      CHECK(fs::is_regular_file(fs::symlink_status(world.path(name))));
    }
  }
  SUBCASE("in the place of all tasks") {
    {
      const Store store = world.open();
    }
    fs::remove(world.tasks());
    fs::create_directory_symlink(elsewhere.tasks(), world.tasks());
    CHECK_FALSE(world.try_open().has_value());
  }
  CHECK(elsewhere.open().stat(kId)->finished);
}

TEST_CASE("a store in which others can write is refused with the remedy") {
  const StoreWorld world;
  {
    const Store store = world.open();
  }
  const auto refusal = [&] {
    const auto store = world.try_open();
    REQUIRE_FALSE(store.has_value());
    return store.error().text();
  };
  SUBCASE("everybody can write") {
    fs::permissions(world.directory(), fs::perms::others_write, fs::perm_options::add);
    CHECK(refusal().find(": others can write in it") != std::string::npos);
  }
  SUBCASE("its group can write") {
    fs::permissions(world.directory(), fs::perms::group_write, fs::perm_options::add);
    CHECK(refusal() == "store " + world.directory() +
                           ": others can write in it: chmod go-w, or name a directory within it");
  }
  SUBCASE("everybody can write where the tasks are") {
    fs::permissions(world.tasks(), fs::perms::others_write, fs::perm_options::add);
    CHECK(refusal().find(": others can write in it") != std::string::npos);
  }
  SUBCASE("another user's") {
    if (!test::have(test::is_root(), "needs root: chown")) return;
    REQUIRE(::chown(world.directory().c_str(), 12345, 12345) == 0);
    CHECK(refusal().find(": belongs to user 12345, not to us (0): chown it") != std::string::npos);
  }
  SUBCASE("a file") {
    const StoreWorld file(world.directory() + "/lock");
    CHECK_FALSE(file.try_open().has_value());
  }
}

}  // namespace perch::peer
