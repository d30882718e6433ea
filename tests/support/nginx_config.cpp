// SPDX-License-Identifier: Apache-2.0
#include "tests/support/nginx_config.h"

#include <fmt/format.h>

namespace perch::test {

std::string nginx_config(const std::string& directory, std::string_view socket,
                         std::string_view user, std::string_view log_level) {
  constexpr std::string_view kConfig = R"(daemon off;
{1}
worker_processes 2;
pid {0}/nginx.pid;
error_log stderr {3};
events {{ worker_connections 128; }}
http {{
  access_log off;
  client_body_temp_path {0}/body;
  proxy_temp_path {0}/proxy;
  fastcgi_temp_path {0}/fastcgi;
  uwsgi_temp_path {0}/uwsgi;
  scgi_temp_path {0}/scgi;
  server {{
    listen unix:{0}/{2};
    location / {{ return 200 hello; }}
  }}
}}
)";
  return fmt::format(kConfig, directory, user, socket, log_level);
}

}  // namespace perch::test
