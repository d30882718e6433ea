// SPDX-License-Identifier: Apache-2.0
// /metrics of the real perch: Prometheus' own tool takes it, its figures move with what happens,
// and what people get beside it (README's table, alert rules, dashboard) speaks of metrics that
// exist.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "common/posix/file.h"
#include "tests/support/memory_cgroup.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

// One answer of /metrics.
class Scrape {
 public:
  explicit Scrape(const PerchProcess& perch) : text_(perch.request("GET", "/metrics").body) {
    std::istringstream lines(text_);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t space = line.rfind(' ');
      if (line.starts_with("# TYPE ")) {
        types_[line.substr(7, space - 7)] = line.substr(space + 1);
      } else if (!line.starts_with('#')) {
        samples_[line.substr(0, space)] = std::stod(line.substr(space + 1));
      }
    }
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  // By the name of the family.
  [[nodiscard]] const std::map<std::string, std::string>& types() const { return types_; }
  [[nodiscard]] bool has(const std::string& sample) const { return samples_.contains(sample); }
  [[nodiscard]] double at(const std::string& sample) const {
    CAPTURE(sample);
    REQUIRE(samples_.contains(sample));
    return samples_.at(sample);
  }
  // All names a query may use.
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& [name, type] : types_) {
      names.insert(name);
      if (type != "histogram") continue;
      for (const char* part : {"_bucket", "_sum", "_count"}) names.insert(name + part);
    }
    return names;
  }

 private:
  std::string text_;
  std::map<std::string, std::string> types_;
  std::map<std::string, double> samples_;
};

// perch with worker "app", asked for its metrics.
struct Scraped {
  TemporaryDirectory directory;
  std::string api = directory.path("api.sock");
  PerchProcess perch{directory, app_config(directory)};
  Scraped() { REQUIRE(perch.wait_ready()); }
  [[nodiscard]] Scrape scrape() const { return Scrape(perch); }
};

std::string in_source(const std::string& path) { return from_build("PERCH_SOURCE") + "/" + path; }
std::string text_of(const std::string& path) { return read_file(in_source(path)).value(); }

bool have_promtool() { return have(is_installed("promtool"), "needs promtool (prometheus)"); }

Finished promtool(const std::string& what, const std::string& path) {
  return run({.argv = {"promtool", what.substr(0, what.find(' ')), what.substr(what.find(' ') + 1),
                       path}});
}

std::vector<std::string> found_in(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

// Every string under one of these keys, at any depth.
void collect(const nlohmann::json& node, const std::set<std::string>& keys,
             std::vector<std::string>& found) {
  if (!node.is_structured()) return;
  for (const auto& [key, value] : node.items()) {
    if (node.is_object() && keys.contains(key) && value.is_string()) found.push_back(value);
    collect(value, keys, found);
  }
}

const std::string kMetricName = R"(\b((?:perch|process)_[a-z0-9_]+))";

void check_names(const std::string& query, const std::set<std::string>& known) {
  CAPTURE(query);
  const auto used = found_in(query, kMetricName);
  CHECK_FALSE(used.empty());
  for (const std::string& name : used) {
    CAPTURE(name);
    CHECK(known.contains(name));
  }
}

// With something in place of the dashboard's variables: PromQL.
std::string without_variables(std::string query) {
  query = std::regex_replace(query, std::regex(R"(\$__rate_interval|\$__range)"), "5m");
  return std::regex_replace(query, std::regex(R"(\$\w+)"), ".*");
}

}  // namespace

TEST_CASE("promtool finds nothing to say about the metrics of a perch that runs") {
  if (!have_promtool()) return;
  const Scraped perch;
  const std::string path = perch.directory.path("metrics");
  write_text(path, perch.scrape().text());
  const UniqueFd input = open_file(path, O_RDONLY).value();
  const Finished done = run({.argv = {"promtool", "check", "metrics"}, .fds = {{0, input.get()}}});
  CHECK(done.ending == exited(0));
  CHECK(done.out + done.err == "");
}

TEST_CASE("it is Prometheus' content type, and HEAD works") {
  const Scraped perch;
  const std::string socket = perch.directory.path("perch.sock");
  const Finished done = run({.argv = {"curl", "-sI", "--unix-socket", socket, "http://p/metrics"}});
  CHECK(done.out.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
}

TEST_CASE("a death moves the counters, the outage and the next start's figures") {
  const Scraped perch;
  const Scrape before = perch.scrape();
  CHECK(before.at(R"(perch_worker_ready{worker="app"})") == 1);
  CHECK(before.at(R"(perch_worker_state{worker="app",state="ready"})") == 1);
  CHECK(before.at(R"(perch_worker_state{worker="app",state="backoff"})") == 0);
  CHECK(before.at(R"(perch_worker_deaths_total{worker="app",cause="signal"})") == 0);
  CHECK(before.at(R"(perch_worker_outage_seconds_count{worker="app"})") == 0);
  CHECK(before.at(R"(perch_worker_startup_seconds_count{worker="app"})") == 1);
  CHECK_FALSE(before.has(R"(perch_worker_last_death_timestamp_seconds{worker="app"})"));
  CHECK_FALSE(before.has(R"(perch_worker_next_start_timestamp_seconds{worker="app"})"));

  const Reply first = ask_newer(perch.api, 0);
  ::kill(first.pid, SIGKILL);
  ask_newer(perch.api, first.generation);
  REQUIRE(perch.perch.wait_ready());

  const Scrape after = perch.scrape();
  CHECK(after.at(R"(perch_worker_deaths_total{worker="app",cause="signal"})") == 1);
  CHECK(after.at(R"(perch_worker_deaths_total{worker="app",cause="exit"})") == 0);
  CHECK(after.at(R"(perch_worker_starts_total{worker="app"})") == 2);
  CHECK(after.at(R"(perch_worker_generation{worker="app"})") == 2);
  CHECK(after.at(R"(perch_worker_consecutive_failures{worker="app"})") == 1);
  CHECK(after.at(R"(perch_worker_outage_seconds_count{worker="app"})") == 1);
  CHECK(after.at(R"(perch_worker_outage_seconds_sum{worker="app"})") > 0);
  CHECK(after.at(R"(perch_worker_outage_seconds_bucket{worker="app",le="+Inf"})") == 1);
  CHECK(after.at(R"(perch_worker_startup_seconds_count{worker="app"})") == 2);
  const std::string started = R"(perch_worker_start_time_seconds{worker="app"})";
  CHECK(after.at(started) > before.at(started));
  CHECK(before.at(started) >= before.at("process_start_time_seconds"));
  CHECK(after.at(R"(perch_worker_last_death_timestamp_seconds{worker="app"})") <=
        after.at(started));
}

TEST_CASE("who waits for its next start says until when") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory,
                           app_config(directory, {.restart = "burst = 0\ndelay = \"300s\"\n"
                                                             "max_delay = \"300s\""}));
  const Reply reply = ask_newer(directory.path("api.sock"), 0);
  ::kill(reply.pid, SIGKILL);
  REQUIRE(perch.wait_state("backoff"));
  const Scrape scrape(perch);
  CHECK(scrape.at(R"(perch_worker_ready{worker="app"})") == 0);
  CHECK_FALSE(scrape.has(R"(perch_worker_start_time_seconds{worker="app"})"));
  const double died = scrape.at(R"(perch_worker_last_death_timestamp_seconds{worker="app"})");
  const double next = scrape.at(R"(perch_worker_next_start_timestamp_seconds{worker="app"})");
  CHECK(next > died + 100);
  CHECK(next < died + 1000);
}

TEST_CASE("clients in the queue are counted") {
  const TemporaryDirectory directory;
  // A worker that accepts nobody.
  const PerchProcess perch(directory, fmt::format(R"([listeners.api]
path = "{}"
[workers.app]
command = ["sleep", "1000"]
listeners = ["api"]
)",
                                                  directory.path("api.sock")));
  REQUIRE(perch.wait_ready());
  const Client one(directory.path("api.sock"));
  const Client two(directory.path("api.sock"));
  const Scrape scrape(perch);
  CHECK(scrape.at(R"(perch_listener_queued_connections{listener="api"})") == 2);
  CHECK(scrape.at(R"(perch_listener_backlog_connections{listener="api"})") >= 2);
}

TEST_CASE("reloads are counted, and a refused one shows until the next that works") {
  const Scraped perch;
  const auto reload = [&](int wanted) {
    REQUIRE(perch.perch.request("POST", "/v1/reload").status == wanted);
    return perch.scrape();
  };
  CHECK(perch.scrape().at("perch_config_last_reload_successful") == 1);
  perch.perch.write_config("nonsense = 1\n");
  const Scrape refused = reload(422);
  CHECK(refused.at("perch_config_last_reload_successful") == 0);
  CHECK(refused.at(R"(perch_config_reloads_total{result="failed"})") == 1);
  perch.perch.write_config(app_config(perch.directory));
  const Scrape done = reload(200);
  CHECK(done.at("perch_config_last_reload_successful") == 1);
  CHECK(done.at(R"(perch_config_reloads_total{result="ok"})") == 1);
  CHECK(done.at(R"(perch_config_reloads_total{result="failed"})") == 1);
}

TEST_CASE(
    "memory is that of the cgroup a worker shares with perch, and nobody's with two workers") {
  constexpr std::uint64_t kLimit = 512U << 20U;
  const auto cgroup = MemoryCgroup::make(kLimit);
  if (!have(cgroup != nullptr, "needs a writable memory cgroup")) return;
  const TemporaryDirectory directory;
  PerchProcess perch(directory, app_config(directory), {.cgroups = {cgroup->procs()}});
  REQUIRE(perch.wait_ready());
  const std::string usage = R"(perch_worker_memory_usage_bytes{worker="app"})";
  const Scrape one(perch);
  CHECK(one.at(R"(perch_worker_memory_limit_bytes{worker="app"})") == kLimit);
  CHECK(one.at(usage) > 0);
  CHECK(one.at(usage) < kLimit);

  perch.write_config(app_config(directory) + "[workers.two]\ncommand = [\"sleep\", \"1000\"]\n" +
                     "listeners = [\"api\"]\n");
  REQUIRE(perch.request("POST", "/v1/reload").status == 200);
  CHECK_FALSE(Scrape(perch).has(usage));
}

TEST_CASE("README's table names the metrics that there are, with their types") {
  const Scraped perch;
  const std::string readme = text_of("README.md");
  const std::size_t start = readme.find("\n## Metrics\n");
  REQUIRE(start != std::string::npos);
  std::istringstream lines(readme.substr(start + 1, readme.find("\n## ", start + 1) - start));
  std::map<std::string, std::string> documented;
  for (std::string line; std::getline(lines, line);) {
    const auto type = found_in(line, R"(^\| .* \| (counter|gauge|histogram) \|)");
    if (type.empty()) continue;
    for (const std::string& name : found_in(line, kMetricName)) documented[name] = type.front();
  }
  CHECK(documented == perch.scrape().types());
}

TEST_CASE("the alert rules are valid, fire when they should, and use only metrics that exist") {
  if (!have_promtool()) return;
  for (const auto& [check, file] : {std::pair{"check rules", "perch.rules.yml"},
                                    {"test rules", "perch.rules.test.yml"},
                                    {"check config", "scrape.yml"}}) {
    const Finished done = promtool(check, in_source(std::string("packaging/prometheus/") + file));
    CAPTURE(done.out);
    CAPTURE(done.err);
    CHECK(done.ending == exited(0));
  }
  const auto known = Scraped().scrape().names();
  const std::string rules = text_of("packaging/prometheus/perch.rules.yml");
  for (const std::string& name : found_in(rules, kMetricName)) {
    CAPTURE(name);
    CHECK(known.contains(name));
  }
}

TEST_CASE("the dashboard is valid and uses only metrics that exist") {
  const auto dashboard = nlohmann::json::parse(text_of("packaging/grafana/perch.json"));
  const auto known = Scraped().scrape().names();
  std::vector<std::string> expressions;
  collect(dashboard.at("panels"), {"expr"}, expressions);
  CHECK(expressions.size() >= dashboard.at("panels").size());
  std::vector<std::string> lookups;
  collect(dashboard.at("templating"), {"definition"}, lookups);
  CHECK(lookups.size() == 2);
  for (const std::string& query : expressions) check_names(query, known);
  for (const std::string& query : lookups) check_names(query, known);

  if (!have_promtool()) return;
  const TemporaryDirectory directory;
  nlohmann::json rules = nlohmann::json::array();
  for (const std::string& query : expressions) {
    rules.push_back(
        {{"record", fmt::format("panel:{}", rules.size())}, {"expr", without_variables(query)}});
  }
  const nlohmann::json file{{"groups", {{{"name", "dashboard"}, {"rules", rules}}}}};
  write_text(directory.path("rules.yml"), file.dump());
  const Finished done = promtool("check rules", directory.path("rules.yml"));
  CAPTURE(done.err);
  CHECK(done.ending == exited(0));
}

}  // namespace perch::test
