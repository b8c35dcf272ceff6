"""
A client of the sandbox that returns raw responses, and pictures to send.
"""

from __future__ import annotations

import http.client
import io
import json
from dataclasses import dataclass

from PIL import Image, ImageDraw

BOUNDARY = "a-boundary"
NANO_BANANA = "/generate/image/google/nano-banana-pro"


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self):
        return json.loads(self.content)


class Client:
    """
    Send requests to one sandbox over one persistent connection.
    """

    def __init__(self, sandbox):
        self.url = sandbox.url
        self.connection = http.client.HTTPConnection(sandbox.url[7:], timeout=10)

    def __call__(self, method, path, body=None, **headers):
        path = path.removeprefix(self.url)
        if isinstance(body, dict):
            body = json.dumps(body)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, names)
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def submit(self, model=NANO_BANANA, **body):
        return self("POST", model, {"prompt": "a red fox", **body})

    def upload(self, content, name="file", **parts):
        """
        Upload the content in a form. `parts` are its text fields.
        """
        body = b"".join(
            form_part(key, value.encode()) for key, value in parts.items()
        ) + form_part(name, content, filename="picture.png")
        form = f"multipart/form-data; boundary={BOUNDARY}"
        ended = body + f"--{BOUNDARY}--\r\n".encode()
        return self("POST", "/assets", ended, content_type=form)


def form_part(name, content, filename=None):
    file = f'; filename="{filename}"' if filename else ""
    head = f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return f"--{BOUNDARY}\r\n{head}".encode() + content + b"\r\n"


def picture(size=(80, 60), form="PNG", **options):
    """
    Return the bytes of a small picture that is not blank.
    """
    image = Image.new("RGB", size, "skyblue")
    box = (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2)
    ImageDraw.Draw(image).ellipse(box, fill="navy")
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def opened(content):
    """
    Decode a picture completely, and return it.
    """
    image = Image.open(io.BytesIO(content))
    image.load()
    return image
