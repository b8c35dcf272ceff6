"""
Which bytes a Range header means.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krea_cli.sandbox.ranges import UnsatisfiableRangeError, parse_range

ETAG = '"tag"'


def find(wanted, if_range=None, size=100):
    return parse_range(wanted, if_range, size=size, etag=ETAG)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-99", range(100)),
        ("bytes=0-999", range(100)),
        ("bytes=99-", range(99, 100)),
        ("bytes=-1", range(99, 100)),
        ("bytes=-999", range(100)),
        (" bytes=1-2 ", range(1, 3)),
    ],
)
def test_one_range_is_found(wanted, expected):
    """
    From, to, from the end: within the file.
    """
    assert expected == find(wanted)


@pytest.mark.parametrize(
    "wanted",
    [None, "", "bytes=-", "bytes=5-2", "items=0-1", "bytes=0-1,3-4", "bytes=x-", "0-1"],
)
def test_whole_file_for_everything_else(wanted):
    """
    What is malformed, or more than one range, is ignored as RFC 9110 says.
    """
    assert find(wanted) is None


@pytest.mark.parametrize("wanted", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_range_without_bytes_is_unsatisfiable(wanted):
    """
    No byte of the file is in it.
    """
    with pytest.raises(UnsatisfiableRangeError):
        find(wanted)


@pytest.mark.parametrize("size", [0, 1])
def test_empty_file_has_no_range(size):
    """
    The first byte is there only when there is one.
    """
    if size:
        assert range(1) == find("bytes=0-", size=size)
    else:
        with pytest.raises(UnsatisfiableRangeError):
            find("bytes=0-", size=size)


def test_if_range_with_another_tag_gives_the_whole_file():
    """
    So does a weak tag or a date.
    """
    assert range(5, 100) == find("bytes=5-", ETAG)
    assert [None, None, None] == [
        find("bytes=5-", tag) for tag in ('"other"', 'W/"tag"', "Sun, 22 Nov 2026")
    ]


@given(st.text(alphabet="bytes=0123456789-, ", max_size=20), st.integers(0, 50))
def test_any_range_is_within_the_file(wanted, size):
    """
    Whatever the header says, no byte outside of the file is meant.
    """
    try:
        found = find(wanted, size=size)
    except UnsatisfiableRangeError:
        return

    assert found is None or (0 <= found.start < found.stop <= size)
