"""
What exiftool, which knows more places for metadata than any other program, finds in a
file that is sent: nothing about place, time, device or person.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess

import pytest
from media.metadata.marked import MARKED, Marked, heic
from media.samples import MP4_AT_THE_END, box, encoded, picture

from krea_cli import media
from krea_cli.media.file_pieces import copy
from krea_cli.media.formats import strip_metadata

EXIFTOOL = shutil.which("exiftool")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed"),
]

# The file on disk, exiftool itself, what it calculates, and the colour profile, which
# stays as it is.
OTHERS = re.compile(r"System|ExifTool|File|Composite|ICC[-_]\w+")
TELLING = re.compile(
    "gps|date|time|locat|place|city|country|make|model|serial|device|lens|camera"
    "|software|program|app$|vendor|artist|author|by-?line|owner|creator|copyright|rights"
    "|name|comment|description|title|caption|keyword|subject|comment|uniqueid|imageid"
    "|documentid|history|thumbnail|preview|motion|xmp|album|genre|encoder|handler",
    re.IGNORECASE,
)
# Numbers of the film itself, and what kinds of tracks it has.
PLAYING = re.compile(
    "TimeScale|TimeCodeScale|TimecodeScale|PreviewTime|PreviewDuration|PosterTime"
    "|SelectionTime|CurrentTime|MinorVersion|HandlerType|TimeToSampleTable"
    "|QuickTime_ColorRep|CompositionTimeToSample|CueTime|ItemInformation|HandlerDescription"
)
EMPTY = (
    "0000:00:00 00:00:00",
    "",
    0,
    "0 s",
    "ICC Profile",
    "VideoHandler",
    "SoundHandler",
)

# Written by exiftool itself into a file of each kind that it can write.
WRITTEN = [
    "-all:Artist=CANARY",
    "-all:Copyright=CANARY",
    "-all:Make=CANARY",
    "-all:Model=CANARY",
    "-all:SerialNumber=CANARY",
    "-all:Software=CANARY",
    "-all:Comment=CANARY",
    "-all:Title=CANARY",
    "-all:Description=CANARY",
    "-all:Author=CANARY",
    "-all:CreateDate=2020:01:02 03:04:05",
    "-all:ModifyDate=2020:01:02 03:04:05",
    "-all:DateTimeOriginal=2020:01:02 03:04:05",
    "-all:TrackCreateDate=2020:01:02 03:04:05",
    "-all:MediaModifyDate=2020:01:02 03:04:05",
    "-all:HandlerDescription=CANARY",
    "-GPSLatitude=59.3294",
    "-GPSLatitudeRef=N",
    "-GPSCoordinates=59.3294 18.0686 0",
    "-XMP-dc:Creator=CANARY",
    "-XMP-exif:GPSLongitude=18.0686",
    "-IPTC:City=CANARY",
    "-Keys:GPSCoordinates=59.3294 18.0686 0",
    "-Keys:Make=CANARY",
    "-UserData:LocationInformation=CANARY",
]
ANIMATED = encoded("WEBP", save_all=True, append_images=[picture(seed=8)])
MOV = box(b"ftyp", b"qt  " * 4) + MP4_AT_THE_END[24:]
FRESH = [
    Marked("jpeg", media.JPEG, encoded("JPEG")),
    Marked("png", media.PNG, encoded("PNG")),
    Marked("webp", media.WEBP, encoded("WEBP")),
    Marked("animated webp", media.WEBP, ANIMATED),
    Marked("heic", media.HEIC, heic()),
    Marked("mp4", media.MP4, MP4_AT_THE_END),
    Marked("mov", media.MOV, MOV),
]


def run(*args):
    # It complains about tags that a kind of file cannot have, and writes the rest.
    return subprocess.run(
        [EXIFTOOL, *args], capture_output=True, timeout=60, check=False
    )


def telling(folder):
    """
    What exiftool finds about place, time, device or person by the name of each file, in
    tracks and fragments too.
    """
    options = ["-json", "-a", "-u", "-U", "-ee", "-G1", "-api", "RequestAll=2"]
    return {
        tags["SourceFile"].rpartition("/")[2]: {
            name: value for name, value in tags.items() if is_telling(name, value)
        }
        for tags in json.loads(run(*options, str(folder)).stdout)
    }


def is_telling(full_name, value):
    group, _, name = full_name.partition(":")
    if not name or OTHERS.fullmatch(group):
        return False
    has_name = TELLING.search(name) and not PLAYING.search(name)
    return "CANARY" in str(value) or bool(has_name and value not in EMPTY)


def write(folder, files):
    """
    Write the files into the folder, and return their paths.
    """
    paths = [
        folder / f"{number}.{each.media.extension}" for number, each in enumerate(files)
    ]
    for path, each in zip(paths, files, strict=True):
        path.write_bytes(each.content)
    return paths


def strip(path, kind):
    """
    Replace the file by what is sent of it.
    """
    source, target = io.BytesIO(path.read_bytes()), io.BytesIO()
    pieces = strip_metadata(source, kind)
    assert pieces is not None
    copy(source, pieces, target)
    path.write_bytes(target.getvalue())


def test_nothing_of_a_marked_file_survives(tmp_path):
    """
    Files with a word wherever a camera or a program may have written one.
    """
    paths = write(tmp_path, MARKED)
    for path, each in zip(paths, MARKED, strict=True):
        strip(path, each.media)

    # It does not know GLB.
    known = {path.name: {} for path in paths if path.suffix != ".glb"}
    assert known == telling(tmp_path)
    assert b"CANARY" not in run("-b", "-a", "-u", "-ee", str(tmp_path)).stdout


def test_nothing_that_exiftool_wrote_survives(tmp_path):
    """
    It writes into every place that it knows for each tag.
    """
    paths = write(tmp_path, FRESH)
    run("-overwrite_original", "-m", *WRITTEN, "-Orientation#=6", str(tmp_path))
    before = telling(tmp_path)
    assert {path.name for path in paths} == {name for name in before if before[name]}

    for path, each in zip(paths, FRESH, strict=True):
        strip(path, each.media)

    assert {path.name: {} for path in paths} == telling(tmp_path)
