# SPDX-License-Identifier: Apache-2.0
"""The least application that gunicorn can serve."""


def app(_, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return [b"hello\n"]
