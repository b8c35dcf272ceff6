from __future__ import annotations

import pytest

from krea_cli import media
from krea_cli.media import of_extension, sniff


def test_a_file_is_known_by_its_first_32_bytes(sample):
    """
    Each kind of result, whatever it is called.
    """
    assert sample.media == sniff(sample.content[:32])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x00\x00\x00\x18ftypheic", media.HEIC),
        (b"\x00\x00\x00\x18ftypmif1", media.HEIC),
        (b"\x00\x00\x00\x18ftypavis", media.AVIF),
        (b"\x00\x00\x00\x18ftypisom", media.MP4),
        (b"\x00\x00\x00\x18ftypM4V ", media.MP4),
        (b"\x00\x00\x00\x14ftypqt  ", media.MOV),
        (b"\x00\x00\x00\x08wide", media.MOV),
        (b"GIF87a", media.GIF),
        (b"II*\x00", media.TIFF),
        (b"MM\x00*", media.TIFF),
        (b"\xff\xfb\x90\x64", media.MP3),
        (b"\xff\xf3\x40\xc4", media.MP3),
    ],
)
def test_other_forms_are_known(head, expected):
    """
    Kinds that have several beginnings, and those that only go in.
    """
    assert expected == sniff(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"\x89PN",
        b"RIFF",
        b"RIFF\x00\x00\x00\x00AVI ",
        b"<!DOCTYPE html>",
        b"<?xml version='1.0'?><Error>",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        b'{"error": "x"}',
        b"MZ\x90\x00",
        b"\x7fELF",
        b"#!/bin/sh\n",
        b"[Desktop Entry]",
        b"[InternetShortcut]",
        b"L\x00\x00\x00\x01\x14\x02\x00",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"\xff\xfe<\x00h\x00",
        b"BM\x00\x00",
        b"hello, world",
        bytes(32),
    ],
)
def test_all_else_is_unknown(head):
    """
    Pages, programs, shortcuts, text: neither sent nor saved.
    """
    assert sniff(head) is None


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ("png", media.PNG),
        (".png", media.PNG),
        (".PNG", media.PNG),
        ("jpeg", media.JPEG),
        ("jpg", media.JPEG),
        ("tif", media.TIFF),
        ("heic", media.HEIC),
        ("", None),
        (".", None),
        ("exe", None),
        ("{ext}", None),
    ],
)
def test_an_extension_stands_for_a_kind(extension, expected):
    """
    With or without its dot, in any case.
    """
    assert expected == of_extension(extension)


def test_every_result_has_an_extension_of_its_own_kind():
    """
    What is saved as x.ext is read as that again.
    """
    assert [] == [
        kind
        for kind in media.RESULT_TYPES | media.UPLOAD_TYPES
        if of_extension(kind.extension) != kind
    ]
