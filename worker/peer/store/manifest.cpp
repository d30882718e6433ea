// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/manifest.h"

#include <fcntl.h>
#include <nlohmann/json.hpp>

#include <cstdio>

#include "common/posix/file.h"

namespace perch::peer {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

Result<void> sync_fd(int fd, const std::string& what) {
  if (::fsync(fd) != 0) return fail("fsync " + what);
  return {};
}

Result<void> sync_directory(const std::string& directory) {
  const auto fd = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::unexpected(fd.error());
  return sync_fd(fd->get(), directory);
}

Result<void> write_synced(const std::string& path, const std::string& text) {
  if (const auto created = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600); !created) {
    return std::unexpected(created.error());
  }
  if (auto written = write_file(path, text); !written) return written;
  const auto fd = open_file(path, O_RDONLY);
  if (!fd) return std::unexpected(fd.error());
  return sync_fd(fd->get(), path);
}

// json's own accessors throw on a type that does not fit; a manifest may be anything.
template <class T>
bool take(const json& object, const char* key, T& value) {
  const auto field = object.find(key);
  if (field == object.end()) return false;
  if constexpr (std::is_unsigned_v<T>) {
    if (!field->is_number_unsigned()) return false;
  } else {
    if (!field->is_string()) return false;
  }
  value = field->template get<T>();
  return true;
}

bool take_headers(const json& object, Headers& headers) {
  const auto field = object.find("headers");
  if (field == object.end() || !field->is_object()) return false;
  for (const auto& [name, value] : field->items()) {
    if (!value.is_string()) return false;
    headers.emplace(name, value.get<std::string>());
  }
  return true;
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

Result<Manifest> parse_manifest(const std::string& text) {
  const json object = json::parse(text, nullptr, false);
  Manifest manifest;
  unsigned version = 0;
  const bool complete =
      object.is_object() && take(object, "version", version) && version == kVersion &&
      take(object, "url", manifest.url) && take(object, "length", manifest.layout.length) &&
      take(object, "piece_length", manifest.layout.piece_length) &&
      take(object, "generation", manifest.generation) && take_headers(object, manifest.headers);
  if (!complete || manifest.layout.piece_length == 0) return refuse("not a manifest");
  return manifest;
}

std::string manifest_text(const Manifest& manifest) {
  const json object{{"version", kVersion},
                    {"url", manifest.url},
                    {"length", manifest.layout.length},
                    {"piece_length", manifest.layout.piece_length},
                    {"generation", manifest.generation},
                    {"headers", manifest.headers}};
  // Headers come from the origin: bytes that are no UTF-8 are replaced, not thrown over.
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<void> save_manifest(const std::string& directory, const Manifest& manifest) {
  const std::string path = directory + "/manifest";
  const std::string temporary = path + ".new";
  if (auto written = write_synced(temporary, manifest_text(manifest)); !written) return written;
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail("rename " + temporary);
  return sync_directory(directory);
}

Result<Manifest> load_manifest(const std::string& directory) {
  const auto text = read_file(directory + "/manifest");
  if (!text) return std::unexpected(text.error());
  auto manifest = parse_manifest(*text);
  if (!manifest) return fail_within(directory + "/manifest", std::move(manifest.error()));
  return manifest;
}

}  // namespace perch::peer
