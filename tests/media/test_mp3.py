from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media.samples import mp3

from krea_cli.media.mp3 import find_end
from krea_cli.media.reader import FileReader, TooManyPartsError

FRAME = 417


def whole(content):
    return find_end(FileReader(io.BytesIO(content))) == len(content)


def frames(head, length, count=3):
    return (bytes.fromhex(head) + bytes(length - 4)) * count


@pytest.mark.parametrize(
    ("head", "length"),
    [
        ("fffb9000", 417),  # MPEG 1, 128 kbit/s, 44.1 kHz
        ("fffb9200", 418),  # padded
        ("fffbe400", 960),  # 320 kbit/s, 48 kHz
        ("fffa1800", 144),  # 32 kbit/s, 32 kHz, with a checksum
        ("fff384c4", 192),  # MPEG 2, 64 kbit/s, 24 kHz, mono
        ("ffe340c4", 208),  # MPEG 2.5, 32 kbit/s, 11.025 kHz, mono
    ],
)
def test_frames_are_as_long_as_their_heads_say(head, length):
    """
    In all three versions; the last one has to be there to its end.
    """
    content = frames(head, length)

    assert whole(content)
    assert [] == [n for n in range(1, length) if whole(content[:-n])]


def test_a_cut_between_frames_is_seen_by_the_number_of_frames():
    """
    Whether the encoder counts the frame that says it, or does not.
    """
    for declared in (3, 4):
        content = mp3(frames=4, declared=declared)

        assert whole(content)
        assert not whole(content[: -2 * FRAME])


def test_without_a_number_a_cut_between_frames_is_not_seen():
    """
    Nothing in the file says that there was more.
    """
    assert whole(mp3(frames=4)[:-FRAME])


@pytest.mark.parametrize("mode", ["00", "c0"])
@pytest.mark.parametrize(("version", "stereo", "mono"), [("fb", 32, 17), ("f3", 17, 9)])
def test_the_number_stands_behind_the_side_information(version, mode, stereo, mono):
    """
    Which is shorter for one channel, and for the lower versions.
    """
    at = 4 + (mono if mode == "c0" else stereo)
    frame = bytearray(bytes.fromhex(f"ff{version}90{mode}") + bytes(413))
    if version == "f3":
        del frame[261:]  # 80 kbit/s at 22.05 kHz
    first = frame[:at] + b"Xing" + bytes([0, 0, 0, 15, 0, 0, 0, 9]) + frame[at + 12 :]

    assert whole(bytes(first + frame * 9))
    assert not whole(bytes(first + frame * 7))


def test_an_empty_number_says_nothing():
    """
    The flags say whether it is there.
    """
    frame = bytes.fromhex("fffb9000") + bytes(413)
    first = frame[:36] + b"Info" + bytes([0, 0, 0, 0, 0, 0, 9, 9]) + frame[48:]

    assert whole(first + frame)


@pytest.mark.parametrize(("flags", "footer"), [(0, 0), (0x10, 10)])
def test_a_tag_is_passed_over(flags, footer):
    """
    With seven bits of each byte of its length, and a footer if there is one.
    """
    tag = b"ID3\x04\x00" + bytes([flags]) + bytes([0, 0, 2, 3]) + bytes(259 + footer)
    content = mp3(tag=tag, declared=4)

    assert whole(content)
    assert not any(whole(content[:at]) for at in range(3, len(tag) + 1))


@pytest.mark.parametrize(
    "trailer",
    [b"TAG" + bytes(125), b"APETAGEX" + bytes(50), bytes(99)],
)
def test_what_follows_the_frames_is_not_looked_into(trailer):
    """
    Tags stand there, too.
    """
    assert whole(mp3() + trailer)


def test_what_cannot_be_walked_is_taken_as_it_is():
    """
    A free bit rate, and padding behind the tag: nothing says that it is cut.
    """
    assert whole(bytes.fromhex("fffb0000") + bytes(99))
    assert whole(mp3()[:10] + bytes(9) + mp3()[10:])


def test_nothing_is_not_whole():
    """
    Neither without a tag nor behind one.
    """
    assert not whole(b"")
    assert not whole(mp3()[:10])


@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_bytes_are_whole_or_not(content, start):
    """
    And the walk ends.
    """
    heads = (b"", b"ID3", b"\xff\xfb", b"\xff\xe3\x18")

    assert whole(heads[start] + content) in (True, False)


def test_a_long_one_is_walked_in_a_moment():
    """
    An hour has 138,000 frames.
    """
    content = frames("fffb9000", FRAME, count=20_000)

    assert whole(content)


def test_a_day_of_sound_is_the_most(monkeypatch):
    """
    The shortest frames have 24 bytes: two million of them are in 50 MB.
    """
    monkeypatch.setattr("krea_cli.media.mp3._MAX_FRAMES", 100)

    assert whole(frames("fff314c4", 24, 100))
    with pytest.raises(TooManyPartsError):
        whole(frames("fff314c4", 24, 101))


def test_short_frames_are_read_many_at_once():
    """
    One read for each would cost seconds.
    """
    content = frames("fff314c4", 24, 20_000)
    reads = []

    class File(io.BytesIO):
        def read(self, count):
            reads.append(count)
            return super().read(count)

    assert find_end(FileReader(File(content)))
    assert len(reads) < 100
