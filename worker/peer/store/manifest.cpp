// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/manifest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/posix/file.h"
#include "worker/peer/store/crc32c.h"

namespace perch::peer {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr unsigned kVersion = 2;
constexpr const char* kName = "manifest";
constexpr std::size_t kMaxManifestSize = 1U << 20U;

std::string seal_of(std::string_view body) {
  return fmt::format("crc32c {:08x}\n", crc32c(std::as_bytes(std::span(body))));
}

// json's own accessors throw on a type that does not fit; a manifest may be anything.
bool take(const json& object, const char* key, std::string& value) {
  const auto field = object.find(key);
  if (field == object.end() || !field->is_string()) return false;
  value = field->get<std::string>();
  return true;
}

template <class T>
  requires std::is_unsigned_v<T>
bool take(const json& object, const char* key, T& value) {
  const auto field = object.find(key);
  if (field == object.end() || !field->is_number_unsigned()) return false;
  const auto number = field->get<std::uint64_t>();
  value = static_cast<T>(number);
  return value == number;
}

template <class Duration>
bool take(const json& object, const char* key, std::chrono::sys_time<Duration>& value) {
  std::uint64_t number = 0;
  if (!take(object, key, number)) return false;
  const auto count = static_cast<std::int64_t>(number);
  value = std::chrono::sys_time<Duration>(Duration(count));
  return count >= 0;
}

bool take(const json& object, const char* key, Headers& headers) {
  const auto field = object.find(key);
  if (field == object.end() || !field->is_object()) return false;
  for (const auto& [name, value] : field->items()) {
    if (!value.is_string()) return false;
    headers.emplace(name, value.get<std::string>());
  }
  return true;
}

template <class Duration>
std::uint64_t count_of(std::chrono::sys_time<Duration> time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

bool take_all(const json& object, Manifest& manifest) {
  return take(object, "id", manifest.id) && take(object, "url", manifest.url) &&
         take(object, "length", manifest.layout.length) &&
         take(object, "piece_length", manifest.layout.piece_length) &&
         take(object, "headers", manifest.headers) &&
         take(object, "generation", manifest.generation) &&
         take(object, "boot_id", manifest.boot_id) && take(object, "created", manifest.created) &&
         take(object, "finished", manifest.finished) &&
         take(object, "data_time", manifest.data_time) && take(object, "digest", manifest.digest);
}

}  // namespace

std::string validator_of(const Headers& headers) {
  if (const auto etag = headers.find("etag");
      etag != headers.end() && !etag->second.starts_with("W/")) {
    return "etag " + etag->second;
  }
  const auto modified = headers.find("last-modified");
  return modified == headers.end() ? std::string() : "last-modified " + modified->second;
}

std::string sealed(std::string body) {
  body += seal_of(body);
  return body;
}

Result<Manifest> parse_manifest(std::string_view text) {
  const std::size_t end = text.rfind("crc32c ");
  if (end == std::string_view::npos) return refuse("not a manifest of this version");
  const std::string_view body = text.substr(0, end);
  if (text.substr(end) != seal_of(body)) return refuse("damaged");
  const json object = json::parse(body, nullptr, false);
  unsigned version = 0;
  if (!object.is_object() || !take(object, "version", version) || version != kVersion) {
    return refuse("not a manifest of this version");
  }
  Manifest manifest;
  if (!take_all(object, manifest)) return refuse("not a whole manifest");
  if (!manifest.layout.possible()) return refuse("impossible length of file or piece");
  return manifest;
}

std::string manifest_text(const Manifest& manifest) {
  const json object{{"version", kVersion},
                    {"id", manifest.id},
                    {"url", manifest.url},
                    {"length", manifest.layout.length},
                    {"piece_length", manifest.layout.piece_length},
                    {"headers", manifest.headers},
                    {"generation", manifest.generation},
                    {"boot_id", manifest.boot_id},
                    {"created", count_of(manifest.created)},
                    {"finished", count_of(manifest.finished)},
                    {"data_time", count_of(manifest.data_time)},
                    {"digest", manifest.digest}};
  // Bytes that are no UTF-8 are replaced, not thrown over.
  return sealed(object.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

Result<Manifest> load_manifest(const Directory& task, const std::string& id) {
  const auto file = task.file(kName, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  const auto text = read_open_file(file->get(), kMaxManifestSize);
  if (!text && text.error().is(EFBIG))
    return refuse(task.path_of(kName) + ": not a manifest: too long");
  if (!text) return fail_within(task.path_of(kName), text.error());
  auto manifest = parse_manifest(*text);
  if (!manifest) return fail_within(task.path_of(kName), std::move(manifest.error()));
  if (manifest->id != id) return refuse(task.path_of(kName) + ": of another task");
  return manifest;
}

Result<void> save_manifest(const Directory& task, const Manifest& manifest) {
  const std::string text = manifest_text(manifest);
  if (text.size() > kMaxManifestSize)
    return refuse(task.path_of(kName) + ": URL or headers too long");
  return task.replace_file(kName, text);
}

}  // namespace perch::peer
