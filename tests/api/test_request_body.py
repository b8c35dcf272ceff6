from __future__ import annotations

import base64
import hashlib
import json
import os

import pytest
from conftest import png

from krea_cli.api.request_body import encode_body
from krea_cli.errors import InputError
from krea_cli.inputs.input_files import check_file
from krea_cli.inputs.local_file import RemoteFile, inline
from krea_cli.journal.record import Record

REMOTE = RemoteFile("https://a.test/x.jpg")
PIECE = 3 * 2**18


@pytest.fixture
def image(tmp_path):
    """
    Makes a checked picture of so many bytes.
    """

    def make(size=1000, name="a.jpg"):
        path = tmp_path / name
        path.write_bytes(png() + bytes(size - len(png())))
        # A clock may not tell it from what is written right after.
        os.utime(path, (0, 0))
        return check_file(path)

    return make


def joined(body):
    return b"".join(encode_body(body).chunks())


@pytest.mark.parametrize("size", [1000, 1001, 1002, PIECE, PIECE + 1, 3 * PIECE - 1])
def test_an_image_is_in_the_request_as_a_data_uri(image, size):
    """
    The kind is by the bytes, all of them are there, wherever in the body it stands; a
    remote one stays where it is.  The length is known before.
    """
    first, second = image(size), image(size + 1, "b.jpg")
    given = inline(lambda remote: remote.url)
    body = {
        "prompt": 'Müll, "," data:',
        "urls": [given(first), given(REMOTE), given(first)],
        "styles": [{"url": given(second)}],
    }
    uris = [
        "data:image/png;base64," + base64.b64encode(each.path.read_bytes()).decode()
        for each in (first, second)
    ]
    sent = joined(body)

    assert body | {
        "urls": [uris[0], REMOTE.url, uris[0]],
        "styles": [{"url": uris[1]}],
    } == json.loads(sent)
    assert len(sent) == encode_body(body).size_bytes


def test_it_can_be_read_again(image):
    """
    To be hashed first, and sent once more when nothing was sent.
    """
    body = {"url": image()}
    made = encode_body(body)

    assert list(made.chunks()) == list(made.chunks())
    assert joined(body) == b"".join(made.chunks())


def test_pieces_are_small(image):
    """
    Whatever the file has.
    """
    made = encode_body({"url": image(10**7)})

    assert max(map(len, made.chunks())) <= PIECE * 4 // 3


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(png() + bytes(999 - len(png())) + b"!"),
        lambda path: path.write_bytes(png()),
        lambda path: path.write_bytes(b"x" + path.read_bytes()),
        lambda path: path.unlink(),
    ],
    ids=["changed", "shorter", "longer", "gone"],
)
@pytest.mark.parametrize("is_hashed", [True, False])
def test_a_file_that_changed_is_not_sent_whole(image, change, is_hashed):
    """
    What was checked, and hashed for the journal, is what is sent, or the request has no
    end.
    """
    picture, taken = image(), []
    made = encode_body({"url": picture, "prompt": "x"})
    assert not is_hashed or picture.sha256
    change(picture.path)

    with pytest.raises(InputError, match=r"a\.jpg( changed|: No such file)"):
        taken.extend(made.chunks())

    assert not b"".join(taken).endswith(b"}")


def test_what_is_kept_of_it_is_the_hash_of_the_file(image):
    """
    No bytes of it, and yet the request is hashed as it is sent.
    """
    picture = image()
    body = {"urls": [picture], "prompt": "x"}

    made = Record.of(
        run="run",
        service="service",
        model="x",
        path="image/x",
        body=body,
        webhook=None,
        seed=None,
        cost_usd=None,
        now=0,
    )

    assert {
        "urls": [f"data:image/png;sha256={picture.sha256}"],
        "prompt": "x",
    } == made.request["body"]
    assert hashlib.sha256(joined(body)).hexdigest() == made.request_sha256
    assert not made.is_complete
