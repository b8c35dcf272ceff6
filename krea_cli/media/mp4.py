"""
Blank everything in MP4 and MOV files that is not needed to play them.

Tables store positions in the file, so nothing may move. Boxes that are not listed here
become empty `free` boxes. Times, names and vendors in the listed ones become zeros. Of
the media data only what the tables of video and audio tracks refer to remains, so
tracks with locations or the time of day are removed, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from krea_cli.media import boxes
from krea_cli.media.boxes import Box, whole_file
from krea_cli.media.file_pieces import (
    ByteRange,
    Overwrite,
    apply_overwrites,
    zero_gaps,
)
from krea_cli.media.reader import DamagedError, FileReader
from krea_cli.media.sample_tables import SampleChunk, chunks, fragment_chunks, ranges

find_end = boxes.find_end


def _kinds(words: str) -> frozenset[bytes]:
    return frozenset(word.encode() for word in words.split())


# Boxes to keep, by parent box. Some names, such as `url `, end with a space.
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
# Boxes without which nothing can be shown, but which this module cannot strip.
_REFUSED = {
    b"cmov": "its index is compressed",
    b"saio": "it is encrypted",
    b"senc": "it is encrypted",
    b"sinf": "it is encrypted",
}
_SHOWN_TRACKS = frozenset({b"vide", b"soun", b"pict", b"auxv"})

# Neutral names of handlers and items. Other names may identify a camera.
NEUTRAL_NAMES = frozenset(
    (b"", b"VideoHandler", b"SoundHandler", b"Pictures", b"Color", b"Alpha", b"libavif")
)

# Codec settings: everything that the decoders need.
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
# Additional bytes in audio descriptions, by version (QuickTime only).
_MORE_SOUND = {b"\0\1": 16, b"\0\2": 36}
_VENDOR, _CODER, _CODER_BYTES = 12, 42, 32
# Encoder names that decoders use to recognize the codec.
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
_MAX_SPHERICAL = 1 << 16


def strip(reader: FileReader) -> Iterator[ByteRange]:
    """
    Yield the pieces of the video without metadata. It plays the same.

    Raises:
        DamagedError: the boxes are inconsistent, or a required part is not supported.
    """
    yield from strip_with_rules(reader, FILM)


def strip_with_rules(reader: FileReader, rules: Rules) -> Iterator[ByteRange]:
    """
    Yield the pieces of a file of boxes that `rules` keep.

    Media data that no table refers to is blanked.

    Raises:
        DamagedError: the boxes are inconsistent, or a required part is not supported.
    """
    index = MediaIndex()
    top = list(whole_file(reader).children())
    found = list(changes(top, index, rules))
    yield from apply_overwrites(
        range(reader.size), [*found, *index.changes(top, reader.size)]
    )


@dataclass
class MediaIndex:
    """
    The media data that the tables of a file refer to.

    It holds the chunks to keep, the start of every chunk, and the removed tracks.
    """

    kept: list[SampleChunk] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    removed_tracks: set[int] = field(default_factory=set)
    default_sizes: dict[int, int] = field(default_factory=dict)
    # Media data that is already overwritten.
    blanked: list[range] = field(default_factory=list)

    def add(self, found: Iterable[SampleChunk], *, is_kept: bool) -> None:
        """
        Add the chunks of a track or item.
        """
        found = list(found)
        self.starts += [chunk.start for chunk in found]
        if is_kept:
            self.kept += found

    def changes(self, top: Iterable[Box], size: int) -> Iterator[Overwrite]:
        """
        Yield overwrites that blank all media data outside the kept chunks.

        `size` is the length of the file in bytes.

        Raises:
            DamagedError: nothing would be left.
        """
        media = [box for box in top if box.kind == b"mdat" and box.length]
        if media and not self.kept:
            raise DamagedError("no video or audio track found")
        # Data outside the media boxes is handled box by box.
        starts = [*(box.body for box in media), size]
        stops = [0, *(box.end for box in media)]
        outside = (range(*each) for each in zip(stops, starts, strict=True))
        kept = [*ranges(self.kept, self.starts), *self.blanked, *outside]
        yield from zero_gaps(kept, 0, size)


Edit = Callable[[Box, MediaIndex], Iterable[Overwrite]]


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The boxes to keep, by parent box, and how to edit some of them.
    """

    kept: Mapping[bytes, frozenset[bytes]]
    edited: Mapping[bytes, Edit]


def changes(
    content: Iterable[Box], index: MediaIndex, rules: Rules, parent: bytes = b""
) -> Iterator[Overwrite]:
    """
    Yield the overwrites that remove metadata from the boxes of `parent`.

    The sample tables among them are added to `index`.
    """
    # Fragments refer to tracks, which may come after them in the file.
    for box in sorted(content, key=lambda box: box.kind == b"moof"):
        if box.kind in _REFUSED:
            raise DamagedError(_REFUSED[box.kind])
        if box.kind not in rules.kept[parent]:
            yield from box.blank()
        elif box.kind in rules.edited:
            yield from rules.edited[box.kind](box, index)
        elif box.kind in rules.kept:
            yield from changes(box.children(), index, rules, box.kind)


def _track(track: Box, index: MediaIndex) -> Iterator[Overwrite]:
    heads, handlers = [*track.find(b"tkhd")], [*track.find(b"mdia", b"hdlr")]
    if not heads or not handlers or not any(track.find(b"mdia", b"minf")):
        raise DamagedError("a track is incomplete")
    kind = handlers[-1].read(8, 4)
    tables = track.find(b"mdia", b"minf", b"stbl")
    table = {box.kind: box for each in tables for box in each.children()}
    is_kept = kind in _SHOWN_TRACKS
    index.add(chunks(table), is_kept=is_kept)
    if is_kept:
        yield from changes(track.children(), index, FILM, b"trak")
        if b"stsd" in table:
            yield from _sample_descriptions(table[b"stsd"], is_sound=kind == b"soun")
    else:
        at = 20 if _has_long_times(heads[0]) else 12
        index.removed_tracks.add(heads[0].number(at, 4))
        yield from track.blank()


def _fragment(moof: Box, index: MediaIndex) -> Iterator[Overwrite]:
    removed = set()
    for track, traf, found in fragment_chunks(moof, index.default_sizes):
        is_kept = track not in index.removed_tracks
        index.add(found, is_kept=is_kept)
        if not is_kept:
            removed.add(traf)
            yield from traf.blank()
    rest = (box for box in moof.children() if box not in removed)
    yield from changes(rest, index, FILM, b"moof")


def _default_size(box: Box, index: MediaIndex) -> Iterable[Overwrite]:
    track, size = box.unpack(">4xI8xI", 0)
    index.default_sizes[track] = size
    return ()


def _has_long_times(box: Box) -> bool:
    return box.read(0, 1) == b"\1"


def _times(box: Box, _index: MediaIndex) -> Iterable[Overwrite]:
    """
    Blank the creation and modification times: 4 bytes each, or 8 depending on the
    version.
    """
    return [box.zeros(4, 16 if _has_long_times(box) else 8)]


def _handler_name(box: Box, _index: MediaIndex) -> Iterable[Overwrite]:
    """
    Blank the vendor and name in a handler box.
    """
    yield box.zeros(12, 12)
    rest = box.length - 24
    if box.read(24, rest).strip(b"\0") not in NEUTRAL_NAMES:
        yield box.zeros(24, rest)


def _brands(box: Box, _index: MediaIndex) -> Iterator[Overwrite]:
    """
    Replace vendor-specific compatible brands with the major brand.
    """
    main = box.read(0, 4)
    for at in range(8, box.length - 3, 4):
        if not _BRAND.fullmatch(box.read(at, 4)):
            start = box.body + at
            yield Overwrite(start, start + 4, main)


def _data_references(box: Box, _index: MediaIndex) -> Iterator[Overwrite]:
    for entry in box.children():
        if not entry.number(0, 4) & 1:
            raise DamagedError("its video or audio is in another file")
        yield entry.zeros(4, entry.length - 4)


def _sample_descriptions(box: Box, *, is_sound: bool) -> Iterator[Overwrite]:
    """
    Blank vendor and encoder names in the sample descriptions.
    """
    is_quicktime = box.read(0, 1) == b"\0"
    for entry in box.children():
        at = _SOUND_ENTRY if is_sound else _PICTURE_ENTRY
        if at > entry.length:
            raise DamagedError("a sample description is incomplete")
        yield entry.zeros(_VENDOR, 4)
        if is_sound and is_quicktime:
            at += _MORE_SOUND.get(entry.read(8, 2), 0)
        elif not is_sound:
            name = entry.read(_CODER, _CODER_BYTES)
            if not name[1:].startswith(_NEEDED_CODERS):
                yield entry.zeros(_CODER, _CODER_BYTES)
        for part in entry.children(at):
            yield from _codec_part(entry, part)


def _codec_part(entry: Box, part: Box) -> Iterator[Overwrite]:
    if part.kind in _REFUSED:
        raise DamagedError(_REFUSED[part.kind])
    if part.kind in _CODEC_PARTS:
        return
    if entry.kind not in _CODECS and part.kind not in _DESCRIBING:
        name = part.kind.decode("latin-1")
        raise DamagedError(f"it has an unknown kind of box ({name!r})")
    yield from part.blank()


def _spherical(box: Box, _index: MediaIndex) -> Iterable[Overwrite]:
    """
    Keep how to show a 360-degree video. Remove the program name and the time.
    """
    room = box.length - len(_SPHERICAL)
    if room < 0 or box.read(0, len(_SPHERICAL)) != _SPHERICAL:
        return box.blank()
    text = box.read(len(_SPHERICAL), min(room, _MAX_SPHERICAL))
    fields = b"".join(
        b"<GSpherical:%b>%b</GSpherical:%b>" % (name, value, name)
        for name, value in _SPHERICAL_FIELD.findall(text)
    )
    content = _SPHERICAL_HEAD + fields + b"</rdf:SphericalVideo>"
    if not fields or len(content) > room:
        return box.blank()
    return [Overwrite(box.end - room, box.end, content, b" ")]


_EDITED: dict[bytes, Edit] = {
    b"ftyp": _brands,
    b"styp": _brands,
    b"trak": _track,
    b"moof": _fragment,
    b"trex": _default_size,
    b"mvhd": _times,
    b"tkhd": _times,
    b"mdhd": _times,
    b"hdlr": _handler_name,
    b"dref": _data_references,
    b"uuid": _spherical,
}
FILM = Rules(_KEPT, _EDITED)
