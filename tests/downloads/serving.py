"""
Serve one file, with correct or wrong responses to ranges, and with truncation.
"""

from __future__ import annotations

import http.server
import re
import threading

ETAG = '"v1"'


class Server:
    """
    Serve `content` under every path.  Each of `cuts` is the number of bytes after which
    the next response ends (None: at its end).  Each of `answers` is a function of
    (handler, start) that responds to the next range request, by default correctly.
    """

    def __init__(self, content, *, cuts=(), answers=(), etag=ETAG, declares=True):
        self.content = content
        self.cuts = list(cuts)
        self.answers = list(answers)
        self.etag = etag
        self.declares = declares
        self.asked = []
        self.sent = 0
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.files = self
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/a.png"

    def __enter__(self):
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        files = self.server.files
        wanted, version = self.headers.get("Range"), self.headers.get("If-Range")
        files.asked.append((wanted, version))
        if wanted is None:
            return whole(self, 0)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
        answer = files.answers.pop(0) if files.answers else go_on
        return answer(self, start)

    def send(self, status, body, **headers):
        files = self.server.files
        cut = files.cuts.pop(0) if files.cuts else None
        if files.etag:
            headers.setdefault("ETag", files.etag)
        if files.declares:
            headers["Content-Length"] = str(len(body))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()
        sent = body[:cut]
        self.wfile.write(sent)
        files.sent += len(sent)
        self.close_connection = True

    def log_message(self, *_):
        pass


def go_on(handler, start):
    content = handler.server.files.content
    if start >= len(content):
        return refuse(handler, start)
    told = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return handler.send(206, content[start:], Content_Range=told)


def whole(handler, _start):
    handler.send(200, handler.server.files.content)


def refuse(handler, _start):
    content = handler.server.files.content
    handler.send(416, b"", Content_Range=f"bytes */{len(content)}")


def another_start(handler, start):
    content = handler.server.files.content
    told = f"bytes {start - 9}-{len(content) - 1}/{len(content)}"
    handler.send(206, content[start - 9 :], Content_Range=told)


def another_length(handler, start):
    content = handler.server.files.content
    told = f"bytes {start}-{len(content)}/{len(content) + 1}"
    handler.send(206, content[start:] + b"x", Content_Range=told)


def another_version(handler, start):
    """
    Ignore If-Range.
    """
    content = handler.server.files.content
    told = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.send(206, content[start:], Content_Range=told, ETag='"v2"')


def changed(content):
    """
    Respond with another version of the file, from its start.
    """

    def answer(handler, start):
        files = handler.server.files
        files.content, files.etag = content, '"v2"'
        whole(handler, start)

    return answer
