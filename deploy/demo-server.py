"""The demo's server on the internet: GET /bytes/N and /file, PUT anything. It answers an upload when it has all of it."""

import http.server
import os
import shutil
import sys

CHUNK = b"\0" * 65536


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/file":
            self.begin(os.path.getsize(sys.argv[3]))
            with open(sys.argv[3], "rb") as file:
                shutil.copyfileobj(file, self.wfile, 65536)
            return
        if not self.path.startswith("/bytes/") or not self.path[7:].isdigit():
            self.send_error(404)
            return
        left = int(self.path[7:])
        self.begin(left)
        while left > 0:
            left -= self.wfile.write(CHUNK[: min(left, len(CHUNK))])

    def do_PUT(self):
        if "100-continue" in self.headers.get("Expect", ""):
            self.send_response_only(100)
            self.end_headers()
        left = int(self.headers["Content-Length"])
        while left > 0:
            got = len(self.rfile.read(min(left, 65536)))
            if got == 0:
                return
            left -= got
        self.begin(0)

    def begin(self, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
