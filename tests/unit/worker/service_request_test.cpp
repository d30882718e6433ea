// SPDX-License-Identifier: Apache-2.0
// Each field of a request means what Dragonfly means by it, or is refused by its name.
#include <doctest/doctest.h>
#include <google/protobuf/descriptor.h>

#include <functional>
#include <set>

#include "tests/unit/worker/service_scene.h"
#include "worker/peer/store/task_id.h"

namespace perch::test {
namespace {

using common::v2::Download;

Download request_for(const std::string& url) {
  Download request;
  request.set_url(url);
  return request;
}

Download request_for(const peer::TaskKey& key) {
  Download request = request_for(key.url);
  if (!key.tag.empty()) request.set_tag(key.tag);
  if (!key.application.empty()) request.set_application(key.application);
  for (const auto& name : key.filtered_query_params) request.add_filtered_query_params(name);
  if (key.piece_length) request.set_piece_length(*key.piece_length);
  if (key.content) request.set_content_for_calculating_task_id(*key.content);
  return request;
}

// A change to a request that is right else, and what is said of it: status code and message.
struct Refusal {
  std::string said;
  std::function<void(Download&)> change;
};

const std::vector<Refusal> kNotSupported{
    {"type", [](auto& r) { r.set_type(common::v2::PERSISTENT); }},
    {"type", [](auto& r) { r.set_type(common::v2::PERSISTENT_CACHE); }},
    {"priority LEVEL1", [](auto& r) { r.set_priority(common::v2::LEVEL1); }},
    {"priority LEVEL2", [](auto& r) { r.set_priority(common::v2::LEVEL2); }},
    {"disable_back_to_source", [](auto& r) { r.set_disable_back_to_source(true); }},
    {"certificate_chain: certificates without a key authenticate nobody",
     [](auto& r) { r.add_certificate_chain("DER"); }},
    {"prefetch", [](auto& r) { r.set_prefetch(true); }},
    {"object_storage", [](auto& r) { r.mutable_object_storage(); }},
    {"hdfs", [](auto& r) { r.mutable_hdfs(); }},
    {"hugging_face", [](auto& r) { r.mutable_hugging_face(); }},
    {"model_scope", [](auto& r) { r.mutable_model_scope(); }},
    {"concurrent_piece_count", [](auto& r) { r.set_concurrent_piece_count(0); }},
    {"actual_piece_length", [](auto& r) { r.set_actual_piece_length(0); }},
    {"actual_content_length", [](auto& r) { r.set_actual_content_length(0); }},
    {"actual_piece_count", [](auto& r) { r.set_actual_piece_count(0); }},
    {"enable_task_id_based_blob_digest",
     [](auto& r) { r.set_enable_task_id_based_blob_digest(true); }},
};

// What else there is: it is honoured, or asks for nothing that would have to be.
const std::set<std::string> kAccepted{"url",
                                      "digest",
                                      "range",
                                      "tag",
                                      "application",
                                      "filtered_query_params",
                                      "request_header",
                                      "piece_length",
                                      "output_path",
                                      "timeout",
                                      "need_back_to_source",
                                      "is_prefetch",
                                      "need_piece_content",
                                      "load_to_cache",
                                      "force_hard_link",
                                      "content_for_calculating_task_id",
                                      "remote_ip",
                                      "overwrite"};

const std::vector<Refusal> kSenseless{
    {"url: not an http or https URL", [](auto& r) { r.set_url("file:///etc/shadow"); }},
    {"url: not an http or https URL", [](auto& r) { r.set_url("http://127.0.0.1:99999/"); }},
    {"url: longer than 8 KiB",
     [](auto& r) { r.set_url("http://127.0.0.1/" + std::string(8192, 'x')); }},
    {"piece_length: not between 64 KiB and 64 MiB", [](auto& r) { r.set_piece_length(1); }},
    {"request_header: Host is set by the peer itself",
     [](auto& r) { (*r.mutable_request_header())["Host"] = "other"; }},
    {"request_header: Upgrade is set by the peer itself",
     [](auto& r) { (*r.mutable_request_header())["Upgrade"] = "h2c"; }},
    {"request_header: not a header field",
     [](auto& r) { (*r.mutable_request_header())["X"] = "a\r\nHost: b"; }},
    {"digest 'md5:0' needs 32 hexadecimal digits", [](auto& r) { r.set_digest("md5:0"); }},
    {"output_path: ", [](auto& r) { r.set_output_path("relative"); }},
    {"force_hard_link: needs output_path", [](auto& r) { r.set_force_hard_link(true); }},
    {"timeout: negative", [](auto& r) { r.mutable_timeout()->set_seconds(-1); }},
};

grpc::Status refused(const PeerWorld& world, const Refusal& refusal) {
  auto request = request_for("http://127.0.0.1:1/file");
  refusal.change(request);
  return download(world.connect(), request).status;
}

}  // namespace

TEST_CASE("what cannot be honoured is refused by the field's name") {
  const PeerWorld world;
  const auto peer = world.start_peer();
  for (const Refusal& refusal : kNotSupported) {
    CAPTURE(refusal.said);
    const auto status = refused(world, refusal);
    CHECK(status.error_code() == grpc::UNIMPLEMENTED);
    CHECK(status.error_message() == refusal.said + ": not supported by perch-peer");
  }
}

TEST_CASE("every field of a request is one that is refused or one that is accepted") {
  std::set<std::string> known = kAccepted;
  for (const auto& [said, change] : kNotSupported)
    known.insert(said.substr(0, said.find_first_of(" :")));
  std::set<std::string> there_are;
  const auto* const fields = Download::descriptor();
  for (int i = 0; i < fields->field_count(); ++i) there_are.insert(fields->field(i)->name());
  CHECK(known == there_are);
}

TEST_CASE("what makes no sense is refused with the reason") {
  const PeerWorld world;
  const auto peer = world.start_peer();
  for (const Refusal& refusal : kSenseless) {
    CAPTURE(refusal.said);
    const auto status = refused(world, refusal);
    CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
    CHECK(status.error_message().starts_with(refusal.said));
  }
}

TEST_CASE("what the peer does anyway, or what only statistics ask, is accepted") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  auto request = request_for(origin.url("/data?size=1000"));
  request.set_priority(common::v2::LEVEL6);
  request.set_need_back_to_source(true);
  request.set_is_prefetch(true);
  request.set_load_to_cache(true);
  request.set_remote_ip("192.0.2.1");
  CHECK(download(world.connect(), request).status.ok());
}

TEST_CASE("each field that makes another download of it makes another task, with Dragonfly's id") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const std::string url = origin.url("/data?size=200000&seed=a&sig=1");
  const std::vector<peer::TaskKey> keys{
      {url, "", "", {}, {}, {}},           {url, "foo", "", {}, {}, {}},
      {url, "", "bar", {}, {}, {}},        {url, "foo", "bar", {}, {}, {}},
      {url, "", "", {"sig"}, {}, {}},      {url, "", "", {}, 64U << 10U, {}},
      {url, "t", "a", {"sig"}, {}, "abc"},
  };
  std::set<std::string> ids;
  for (const auto& key : keys) {
    const auto answer = download(world.connect(), request_for(key));
    CHECK_MESSAGE(answer.status.ok(), answer.status.error_message());
    CHECK(answer.task_id == task_id(key));
    ids.insert(answer.task_id);
  }
  CHECK(ids.size() == keys.size());
  // Given content makes the id alone: this is sha256 of "abc".
  CHECK(ids.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

TEST_CASE("URLs that differ in what is filtered are one task, and one download") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  const auto ask = [&](const std::string& signature) {
    auto request = request_for(origin.url("/data?size=200000&sig=" + signature));
    request.add_filtered_query_params("sig");
    return download(world.connect(), request);
  };
  const std::string id = ask("1").task_id;
  REQUIRE(peer::is_task_id(id));
  const std::uint64_t sent = origin.bytes_sent();
  CHECK(ask("2").task_id == id);
  CHECK(origin.bytes_sent() == sent);
}

TEST_CASE("a file is cut into pieces of the length that was asked for") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer();
  auto request = request_for(origin.url("/data?size=200000"));
  request.set_piece_length(65536);
  const auto answer = download(world.connect(), request);
  REQUIRE(answer.status.ok());
  CHECK(answer.started->pieces_size() == 4);
  REQUIRE(answer.pieces.size() == 4);
  for (const auto& piece : answer.pieces) {
    CHECK(piece.offset() == piece.number() * 65536);
    CHECK(piece.length() == (piece.number() < 3 ? 65536 : 200000 - (3 * 65536)));
  }
}

}  // namespace perch::test
