# SPDX-License-Identifier: Apache-2.0
def app(_, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]
