# SPDX-License-Identifier: Apache-2.0
# perch in front of the daemon of an image that exists: three lines, with the image's own command
# behind the `--`. nginx is not changed: it binds its socket as ever, where its configuration says
# `listen unix:/run/web/web.sock;`. Mount a directory there that the image's user may write to, and
# the same one where the clients are.
FROM nginxinc/nginx-unprivileged:1.27
COPY --from=perch:0.1 /perch /usr/local/bin/perch
ENTRYPOINT ["perch", "run", "--intercept", "--listen", "/run/web/web.sock", "--", "nginx", "-g", "daemon off;"]
