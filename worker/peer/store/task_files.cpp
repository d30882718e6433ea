// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/task_files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <vector>

#include "worker/peer/store/crc32c.h"
#include "worker/peer/store/shown_url.h"
#include "worker/peer/store/task_summary.h"
#include "worker/peer/store/whole_io.h"

namespace perch::peer {
namespace {

using std::chrono::seconds;
using std::chrono::system_clock;

constexpr const char* kData = "data";
constexpr std::size_t kReadBlock = 256U << 10U;

// Room in memory is memory of ours as soon as it is taken, so there it is only looked at.
bool has_room(int data, const struct statfs& memory, std::uint64_t length) {
  struct stat status{};
  if (::fstat(data, &status) != 0) return false;
  const auto held = static_cast<std::uint64_t>(status.st_blocks) * 512;
  const std::uint64_t left = memory.f_bavail * static_cast<std::uint64_t>(memory.f_bsize);
  return memory.f_blocks == 0 || length <= held + left;  // no blocks: a tmpfs without a limit
}

// 0, or why there is none.
int take_room(int data, std::uint64_t length) {
  struct statfs disk{};
  if (::fstatfs(data, &disk) != 0) return errno;
  if (disk.f_type == TMPFS_MAGIC) return has_room(data, disk, length) ? 0 : ENOSPC;
  while (::fallocate(data, 0, 0, static_cast<off_t>(length)) != 0) {
    if (errno != EINTR) return errno == EOPNOTSUPP ? 0 : errno;
  }
  return 0;
}

// Room is taken at the start, so that a full disk shows before the download and not in it.
Result<void> reserve(int data, std::uint64_t length) {
  const std::string what = "reserve " + std::to_string(length) + " bytes";
  const int problem = length > 0 ? take_room(data, length) : 0;
  if (problem != 0) return fail(what, problem);
  // Also cuts what is over.
  if (::ftruncate(data, static_cast<off_t>(length)) != 0) return fail(what);
  return {};
}

Result<void> must_fit(std::uint64_t length, const Directory& task, const StoreContext& context) {
  if (!context.max_bytes || length <= *context.max_bytes) return {};
  return fail(task.path_of(kData) + ": " + std::to_string(length) + " bytes, and --store-max is " +
                  std::to_string(*context.max_bytes),
              EFBIG);
}

}  // namespace

TaskFiles::TaskFiles(Directory task, Manifest manifest, UniqueFd data, PieceRecords records,
                     StoreContext context)
    : task_(std::move(task)),
      manifest_(std::move(manifest)),
      data_(std::move(data)),
      records_(std::move(records)),
      context_(std::move(context)) {}

Result<TaskFiles> TaskFiles::open(Directory task, const std::string& id,
                                  const StoreContext& context) {
  auto manifest = load_manifest(task, id);
  if (!manifest) return std::unexpected(std::move(manifest.error()));
  auto data = task.file(kData, O_RDWR);
  if (!data && data.error().is(ENOENT)) return refuse(task.path_of(kData) + ": missing");
  if (!data) return std::unexpected(std::move(data.error()));
  const auto status = task.status_of(kData);
  if (!status) return std::unexpected(status.error());
  auto parsed = PieceRecords::read(task, *manifest);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  const bool records_whole = parsed->refused == 0;
  auto records = PieceRecords::open(task, *manifest, std::move(*parsed));
  if (!records) return std::unexpected(std::move(records.error()));

  const std::string fault = fault_of_data(*manifest, *status);
  const bool same_boot = !context.boot_id.empty() && manifest->boot_id == context.boot_id;
  TaskFiles files(std::move(task), std::move(*manifest), std::move(*data), std::move(*records),
                  context);
  if (!fault.empty()) files.say("data: " + fault + ": its pieces are checked again");
  if (!records_whole) files.say("state: torn or not ours: the other pieces are checked again");
  files.needs_check_ = !same_boot || !fault.empty() || !records_whole;
  if (files.needs_check_) files.records_.drop_partial();
  return files;
}

// The old manifest goes first: from here until the new one stands there is no task.
Result<TaskFiles> TaskFiles::begin(Directory task, Manifest manifest, const StoreContext& context) {
  if (auto fits = must_fit(manifest.layout.length, task, context); !fits) {
    return std::unexpected(std::move(fits.error()));
  }
  for (const char* name : {"manifest", "state", kData}) {
    if (auto gone = task.remove_file(name); !gone) return std::unexpected(std::move(gone.error()));
  }
  auto data = task.file(kData, O_RDWR | O_CREAT | O_EXCL);
  if (!data) return std::unexpected(std::move(data.error()));
  if (auto reserved = reserve(data->get(), manifest.layout.length); !reserved) {
    return fail_within(task.path_of(kData), std::move(reserved.error()));
  }
  auto records = PieceRecords::create(task, manifest);
  if (!records) return std::unexpected(std::move(records.error()));
  manifest.url = shown_url(manifest.url);
  manifest.boot_id = context.boot_id;
  manifest.created = std::chrono::floor<seconds>(system_clock::now());
  return TaskFiles(std::move(task), std::move(manifest), std::move(*data), std::move(*records),
                   context);
}

Result<TaskFiles> TaskFiles::create(Directory task, Manifest manifest,
                                    const StoreContext& context) {
  auto files = begin(std::move(task), std::move(manifest), context);
  if (!files) return files;
  if (auto saved = save_manifest(files->task_, files->manifest_); !saved) {
    return std::unexpected(std::move(saved.error()));
  }
  return files;
}

Result<TaskFiles> TaskFiles::create_unsized(Directory task, Manifest manifest,
                                            const StoreContext& context) {
  manifest.layout.length = 0;
  auto files = begin(std::move(task), std::move(manifest), context);
  if (files) files->unsized_ = true;
  return files;
}

bool TaskFiles::done(std::uint32_t number) const {
  return records_.at(number).state == PieceRecord::State::Done;
}

std::uint64_t TaskFiles::bytes_done(std::uint32_t number) const {
  return records_.at(number).bytes_done;
}

std::uint32_t TaskFiles::crc_of(std::uint32_t number) const { return records_.at(number).crc32c; }

std::string TaskFiles::data_path() const { return task_.path_of(kData); }

// The length and the records first: were the manifest first, a kill between would have them
// believed unseen.
Result<void> TaskFiles::believe() {
  if (auto whole = reserve(data_.get(), layout().length); !whole) {
    return fail_within(data_path(), std::move(whole.error()));
  }
  if (auto saved = records_.save(); !saved) return std::unexpected(at_state(saved.error()));
  const auto status = task_.status_of(kData);
  if (!status) return std::unexpected(status.error());
  Manifest believed = manifest_;
  believed.boot_id = context_.boot_id;
  believed.data_time = modified(*status);
  if (done_count() != layout().count()) believed.finished = {};
  if (auto saved = save_manifest(task_, believed); !saved) return saved;
  manifest_ = std::move(believed);
  needs_check_ = false;
  return {};
}

Result<bool> TaskFiles::verify(std::uint32_t number) {
  const std::uint64_t begin = layout().piece(number).begin;
  const std::uint64_t end = begin + bytes_done(number);
  if (begin == end) return false;
  std::vector<std::byte> block(std::min<std::uint64_t>(kReadBlock, end - begin));
  std::uint32_t sum = 0;
  std::string problem;
  for (std::uint64_t at = begin; at < end && problem.empty();) {
    const auto part = std::span(block).first(std::min<std::uint64_t>(block.size(), end - at));
    if (auto got = read_whole(data_.get(), at, part); !got) problem = got.error().text();
    sum = crc32c(part, sum);
    at += part.size();
  }
  if (problem.empty() && sum == crc_of(number)) return true;
  if (problem.empty()) problem = "not the bytes that were recorded";
  say("data: piece " + std::to_string(number) + ": " + problem + ": it is fetched again");
  if (auto forgotten = forget(number); !forgotten) {
    return std::unexpected(std::move(forgotten.error()));
  }
  return false;
}

Result<void> TaskFiles::forget(std::uint32_t number) {
  auto forgotten = records_.forget(number);
  if (!forgotten) return std::unexpected(at_state(std::move(forgotten.error())));
  manifest_.finished = {};
  return {};
}

Result<void> TaskFiles::append(std::uint32_t number, std::span<const std::byte> data) {
  const std::uint64_t begin = number * layout().piece_length;
  const std::uint64_t size = unsized_ ? layout().piece_length : layout().piece(number).size();
  const std::uint64_t from = bytes_done(number);
  PERCH_CHECK(data.size() <= size - from);
  if (data.empty()) return {};
  if (unsized_) {
    if (auto fits = must_fit(begin + from + data.size(), task_, context_); !fits) return fits;
  }
  if (auto written = write_whole(data_.get(), begin + from, data); !written) {
    return fail_within(data_path(), std::move(written.error()));
  }
  if (auto recorded = records_.advance(number, data, size); !recorded) {
    return std::unexpected(at_state(std::move(recorded.error())));
  }
  if (unsized_) manifest_.layout.length = std::max(layout().length, begin + from + data.size());
  // Waits for nothing, so that mark_finished() has little to wait for: 512 MiB took it 250 ms, and
  // 10 ms with this. Where a file system cannot, it waits.
  if (done(number)) {
    ::sync_file_range(data_.get(), static_cast<off_t>(begin), static_cast<off_t>(size),
                      SYNC_FILE_RANGE_WRITE);
  }
  return {};
}

Result<void> TaskFiles::read(std::uint64_t offset, std::span<std::byte> data) const {
  auto got = read_whole(data_.get(), offset, data);
  if (!got) return fail_within(data_path(), std::move(got.error()));
  return {};
}

Result<void> TaskFiles::settle(std::uint64_t length) {
  if (length != layout().length || length != peer::bytes_done(records_.all())) {
    return refuse(data_path() + ": has " + std::to_string(layout().length) + " bytes, not " +
                  std::to_string(length));
  }
  if (length > 0) {
    const std::uint32_t last = layout().count() - 1;
    auto ended = records_.advance(last, {}, layout().piece(last).size());
    if (!ended) return std::unexpected(at_state(std::move(ended.error())));
  }
  if (auto saved = save_manifest(task_, manifest_); !saved) return saved;
  unsized_ = false;
  return {};
}

// The kernel tells of a failed write once, and then holds the pages for written (fsync(2)): the
// data must not be believed by whoever asks next.
Result<void> TaskFiles::sync_data() const {
  if (::fdatasync(data_.get()) == 0) return {};
  auto failed = fail("sync " + data_path());
  if (auto gone = task_.remove_file("manifest"); !gone) {
    say("manifest: cannot be removed, and the data is not on the disk: remove the task");
  }
  return failed;
}

Result<void> TaskFiles::mark_finished(const std::string& digest) {
  if (auto synced = sync_data(); !synced) return synced;
  if (auto synced = records_.sync(); !synced) return std::unexpected(at_state(synced.error()));
  const auto status = task_.status_of(kData);
  if (!status) return std::unexpected(status.error());
  Manifest finished = manifest_;
  finished.boot_id = context_.boot_id;
  finished.finished = std::chrono::floor<seconds>(system_clock::now());
  finished.data_time = modified(*status);
  finished.digest = digest;
  if (auto saved = save_manifest(task_, finished); !saved) return saved;
  manifest_ = std::move(finished);
  return {};
}

Result<void> TaskFiles::touch() {
  auto touched = records_.touch();
  if (!touched) return std::unexpected(at_state(std::move(touched.error())));
  return {};
}

Error TaskFiles::at_state(Error error) const { return std::move(error).within(task_.path()); }

void TaskFiles::say(const std::string& what) const {
  if (context_.on_fault) context_.on_fault(task_.path() + "/" + what);
}

}  // namespace perch::peer
