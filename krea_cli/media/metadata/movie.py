"""
MP4 and MOV: blank everything that is not needed to show pictures and play sound.

Positions in the file are stored in tables, so nothing is moved. Boxes that are not
listed here become empty `free` boxes; times, names and makers in the listed ones become
zeros; and of the media data only what the tables of pictures and sound refer to is
left. So a track with places or the time of day goes, too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from krea_cli.media.metadata.boxes import Box, Patch, blank, boxes, gaps, patched
from krea_cli.media.metadata.pieces import ByteRange, DamagedError, read
from krea_cli.media.metadata.sample_tables import (
    Chunk,
    chunks,
    fragment_chunks,
    merged,
    ranges,
)


def _kinds(words: str) -> frozenset[bytes]:
    return frozenset(word.encode() for word in words.split())


# What stays, by the box that it is in. `url ` and the like have a space.
_KEPT = {
    b"": _kinds("ftyp styp moov moof mdat mfra sidx ssix"),
    b"moov": _kinds("mvhd trak mvex iods clip"),
    b"mvex": _kinds("mehd trex leva"),
    b"trak": _kinds("tkhd tref edts mdia tapt trgr clip uuid"),
    b"edts": _kinds("elst"),
    b"tapt": _kinds("clef prof enof"),
    b"clip": _kinds("crgn"),
    b"mdia": _kinds("mdhd hdlr minf elng"),
    b"minf": _kinds("vmhd smhd nmhd hdlr dinf stbl"),
    b"dinf": _kinds("dref"),
    b"stbl": _kinds(
        "stsd stts ctts cslg stss stps stsh stsz stz2 stsc stco co64 sdtp sbgp sgpd "
        "subs padb stdp"
    ),
    b"moof": _kinds("mfhd traf"),
    b"traf": _kinds("tfhd tfdt trun sdtp sbgp sgpd subs"),
    b"mfra": _kinds("tfra mfro"),
    b"tref": _kinds("auxl vdep vplx thmb dpnd sbas scal fall"),
}
# Without these nothing can be shown, and they are not understood here.
_REFUSED = {
    b"cmov": "its index is compressed",
    b"saio": "it is encrypted",
    b"senc": "it is encrypted",
    b"sinf": "it is encrypted",
}
_SHOWN_TRACKS = frozenset({b"vide", b"soun", b"pict", b"auxv"})

# Names of handlers and items that say nothing; other ones may be those of cameras.
NEUTRAL_NAMES = frozenset(
    (b"", b"VideoHandler", b"SoundHandler", b"Pictures", b"Color", b"Alpha", b"libavif")
)

# How pictures and sound are coded: everything that their decoders need is listed.
_CODECS = _kinds(
    "avc1 avc3 hvc1 hev1 dvh1 dvhe dvav dva1 av01 vp08 vp09 vvc1 vvi1 mp4v jpeg mjpa "
    "mjpb apch apcn apcs apco ap4h ap4x s263 mp4a alac fLaC Opus ac-3 ec-3 ac-4 lpcm "
    "sowt twos in24 in32 fl32 fl64 ulaw alaw samr sawb ipcm fpcm .mp3"
)
_CODEC_PARTS = _kinds(
    "avcC hvcC lhvC vvcC av1C vpcC esds d263 damr dvcC dvvC dvwC hvcE colr pasp clap "
    "fiel gama btrt mdcv clli amve cclv SmDm CoLL vexu hfov st3d chrm glbl wave chan "
    "chnl srat alac dfLa dOps dac3 dec3 dac4 dmlp pcmC enda SA3D auxi ccst"
)
_DESCRIBING = frozenset({b"free", b"skip", b"udta", b"meta", b"uuid"})
_PICTURE_ENTRY, _SOUND_ENTRY = 78, 28
# By the version of a description of sound, in QuickTime alone.
_MORE_SOUND = {b"\0\1": 16, b"\0\2": 36}
_VENDOR, _CODER, _CODER_END = 12, 42, 74
# Decoders tell by these how the pictures are coded.
_NEEDED_CODERS = (b"Planar Y'CbCr", b"Sorenson H263")

_BRAND = re.compile(
    rb"iso.|mp4.|avc.|hvc.|hev.|heic|heix|heim|heis|hevc|hevx|mif.|msf1|miaf|MiH.|MiPr"
    rb"|avif|avis|avio|MA1.|av01|qt  |M4[VA] |3g.*|dash|msdh|msix|cmf.|tmap|f4v "
    rb"|dby1|vp0.",
    re.DOTALL,
)

_SPHERICAL = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
_SPHERICAL_FIELD = re.compile(
    rb"<GSpherical:(Spherical|Stitched|ProjectionType|StereoMode"
    rb"|Initial\w{1,30}|Cropped\w{1,30}|FullPano\w{1,30})>([-\w.]{1,20})</GSpherical:\1>"
)
_SPHERICAL_HEAD = (
    b'<?xml version="1.0"?><rdf:SphericalVideo'
    b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    b' xmlns:GSpherical="http://ns.google.com/videos/1.0/spherical/">'
)
_MOST_SPHERICAL = 1 << 16


def bare(file: IO[bytes], size: int) -> Iterator[ByteRange]:
    """
    Yield the pieces of a film that shows and plays the same, and says nothing else.

    Raises:
        DamagedError: its boxes do not fit into each other, or it cannot be shown
            without a part that is not understood here.
    """
    top = list(boxes(file, 0, size))
    index = Index()
    found = list(patches(file, top, index))
    yield from patched(file, [*found, *index.media_patches(top)], size)


@dataclass
class Index:
    """
    What the tables of a file refer to: the chunks that stay, where any chunk starts,
    and the tracks that go.the tracks that go.
    """

    kept: list[Chunk] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    removed_tracks: set[int] = field(default_factory=set)
    default_sizes: dict[int, int] = field(default_factory=dict)
    # Media data that has a patch of its own.
    blanked: list[range] = field(default_factory=list)

    def add(self, found: Iterable[Chunk], *, is_kept: bool) -> None:
        found = list(found)
        self.starts += [chunk.start for chunk in found]
        if is_kept:
            self.kept += found

    def media_patches(self, top: Sequence[Box]) -> Iterator[Patch]:
        """
        Yield what blanks the media data that belongs to nothing that stays.

        Raises:
            DamagedError: nothing would be left.
        """
        media = [box for box in top if box.kind == b"mdat" and box.end > box.body]
        if media and not self.kept:
            raise DamagedError("no track with pictures or sound is found")
        kept = merged([*ranges(self.kept, self.starts), *self.blanked])
        for box in media:
            yield from gaps(kept, box.body, box.end)


def patches(
    file: IO[bytes], content: Iterable[Box], index: Index, parent: bytes = b""
) -> Iterator[Patch]:
    """
    Yield what blanks the descriptions among the boxes of `parent`, and in them.

    The tables that are met are added to `index`.
    """
    # Fragments refer to the tracks, wherever these stand.
    for box in sorted(content, key=lambda box: box.kind == b"moof"):
        if box.kind in _REFUSED:
            raise DamagedError(_REFUSED[box.kind])
        if box.kind not in _KEPT[parent]:
            yield from blank(box)
        elif box.kind in _EDITED:
            yield from _EDITED[box.kind](file, box, index)
        elif box.kind in _KEPT:
            inside = boxes(file, box.body, box.end)
            yield from patches(file, inside, index, box.kind)


def _track(file: IO[bytes], box: Box, index: Index) -> Iterator[Patch]:
    inside = list(boxes(file, box.body, box.end))
    heads = [each for each in inside if each.kind == b"tkhd"]
    found = {each.kind: each for each in _within(file, inside, b"mdia")}
    if b"hdlr" not in found or b"minf" not in found or not heads:
        raise DamagedError("a track is incomplete")
    kind = read(file, found[b"hdlr"].body + 8, 4)
    table = {
        each.kind: each
        for each in _within(
            file, boxes(file, found[b"minf"].body, found[b"minf"].end), b"stbl"
        )
    }
    is_kept = kind in _SHOWN_TRACKS
    index.add(chunks(file, table), is_kept=is_kept)
    if is_kept:
        yield from patches(file, inside, index, b"trak")
        if b"stsd" in table:
            yield from _descriptions(file, table[b"stsd"], is_sound=kind == b"soun")
        return
    has_long_times = read(file, heads[0].body, 1) == b"\1"
    number = read(file, heads[0].body + (20 if has_long_times else 12), 4)
    index.removed_tracks.add(int.from_bytes(number))
    yield from blank(box)


def _within(file: IO[bytes], content: Iterable[Box], kind: bytes) -> Iterator[Box]:
    for box in content:
        if box.kind == kind:
            yield from boxes(file, box.body, box.end)


def _fragment(file: IO[bytes], box: Box, index: Index) -> Iterator[Patch]:
    removed = set()
    for track, traf, found in fragment_chunks(file, box, index.default_sizes):
        is_kept = track not in index.removed_tracks
        index.add(found, is_kept=is_kept)
        if not is_kept:
            removed.add(traf)
    for each in boxes(file, box.body, box.end):
        if each in removed:
            yield from blank(each)
        else:
            yield from patches(file, [each], index, b"moof")


def _default_size(file: IO[bytes], box: Box, index: Index) -> Iterator[Patch]:
    track, size = struct.unpack(">4xI8xI", read(file, box.body, 20))
    index.default_sizes[track] = size
    yield from ()


def _times(file: IO[bytes], box: Box, _index: Index) -> Iterator[Patch]:
    """
    When it was made, and changed: by the version in four or eight bytes each.
    """
    has_long_times = read(file, box.body, 1) == b"\1"
    start = box.body + 4
    yield _zeros(start, start + (16 if has_long_times else 8), box)


def handler_name(file: IO[bytes], box: Box, _index: Index) -> Iterator[Patch]:
    """
    Yield what blanks the maker and the name in a handler box.
    """
    if read(file, box.body + 12, 12) != bytes(12):
        yield _zeros(box.body + 12, box.body + 24, box)
    name = (
        read(file, box.body + 24, box.end - box.body - 24)
        if box.end > box.body + 24
        else b""
    )
    if name.strip(b"\0") not in NEUTRAL_NAMES:
        yield _zeros(box.body + 24, box.end, box)


def brands(file: IO[bytes], box: Box, _index: Index) -> Iterator[Patch]:
    """
    Yield what replaces the brands of makers among those that the file complies with.
    """
    main = read(file, box.body, 4)
    for at in range(box.body + 8, box.end - 3, 4):
        if not _BRAND.fullmatch(read(file, at, 4)):
            yield Patch(at, at + 4, main, b"\0")


def _data_references(file: IO[bytes], box: Box, _index: Index) -> Iterator[Patch]:
    for entry in boxes(file, box.body + 8, box.end):
        if not read(file, entry.body, 4)[3] & 1:
            raise DamagedError("its pictures or sound are in another file")
        if entry.end > entry.body + 4:
            yield _zeros(entry.body + 4, entry.end, box)


def _descriptions(file: IO[bytes], box: Box, *, is_sound: bool) -> Iterator[Patch]:
    """
    How the samples are coded: without the makers of the coders, and their names.
    """
    is_quicktime = read(file, box.body, 1) == b"\0"
    for entry in boxes(file, box.body + 8, box.end):
        start = entry.body + (_SOUND_ENTRY if is_sound else _PICTURE_ENTRY)
        if start > entry.end:
            raise DamagedError("a sample description is incomplete")
        yield _zeros(entry.body + _VENDOR, entry.body + _VENDOR + 4, entry)
        if is_sound and is_quicktime:
            start += _MORE_SOUND.get(read(file, entry.body + 8, 2), 0)
        elif not is_sound:
            at, end = entry.body + _CODER, entry.body + _CODER_END
            if not read(file, at + 1, end - at - 1).startswith(_NEEDED_CODERS):
                yield _zeros(at, end, entry)
        for part in boxes(file, start, entry.end):
            if part.kind in _REFUSED:
                raise DamagedError(_REFUSED[part.kind])
            if part.kind in _CODEC_PARTS:
                continue
            if entry.kind not in _CODECS and part.kind not in _DESCRIBING:
                name = part.kind.decode("latin-1")
                raise DamagedError(f"it has an unknown kind of box ({name!r})")
            yield from blank(part)


def _spherical(file: IO[bytes], box: Box, _index: Index) -> Iterator[Patch]:
    """
    How to show a film of 360 degrees, without the program that made it and the time.
    """
    if box.end - box.body < 16 or read(file, box.body, 16) != _SPHERICAL:
        yield from blank(box)
        return
    text = read(file, box.body + 16, min(box.end - box.body - 16, _MOST_SPHERICAL))
    fields = b"".join(
        b"<GSpherical:%b>%b</GSpherical:%b>" % (name, value, name)
        for name, value in _SPHERICAL_FIELD.findall(text)
    )
    content = _SPHERICAL_HEAD + fields + b"</rdf:SphericalVideo>"
    if fields and len(content) <= box.end - box.body - 16:
        yield Patch(box.body + 16, box.end, content, b" ")
    else:
        yield from blank(box)


def _in_its_track(_file: IO[bytes], _box: Box, _index: Index) -> Iterator[Patch]:
    yield from ()


def _zeros(start: int, end: int, box: Box) -> Patch:
    if end > box.end:
        raise DamagedError(f"a box ends at byte {box.end}")
    return Patch(start, end, b"", b"\0")


_Edit = Callable[[IO[bytes], Box, Index], Iterator[Patch]]
_EDITED: dict[bytes, _Edit] = {
    b"ftyp": brands,
    b"styp": brands,
    b"trak": _track,
    b"moof": _fragment,
    b"trex": _default_size,
    b"mvhd": _times,
    b"tkhd": _times,
    b"mdhd": _times,
    b"hdlr": handler_name,
    b"dref": _data_references,
    b"stsd": _in_its_track,
    b"uuid": _spherical,
}
