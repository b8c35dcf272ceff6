from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from conftest import FakeTime
from media.samples import SAMPLES, box, encoded, generic, mp3, picture
from PIL import Image

from krea_cli.api.http_types import DownloadBody
from krea_cli.api.models import Job
from krea_cli.downloads.download_client import UrlExpiredError
from krea_cli.downloads.downloader import ResultDownloader
from krea_cli.downloads.output_target import FilenameFields, OutputTarget
from krea_cli.downloads.publish import Publisher
from krea_cli.errors import (
    ConnectionFailedError,
    ConversionError,
    DownloadError,
    ExitCode,
    KreaError,
    ResponseLostError,
    ServerError,
    StorageError,
    TargetExistsError,
    TokenRejectedError,
    UnknownJobError,
)
from krea_cli.media import conversion, decoding
from krea_cli.runtime.worker_pool import WorkerPool

PICTURE = encoded("PNG")
NAMING = FilenameFields(time=datetime(2026, 11, 22).astimezone(), prompt="A cat")
OPTIONS = ("fetch_job", "send", "max_bytes", "force", "quality", "warn")
FULL = """
import resource, signal, sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from krea_cli.api.models import Job
from krea_cli.api.http_types import DownloadBody
from krea_cli.runtime.clock import Clock
from krea_cli.downloads.publish import Publisher
from krea_cli.downloads.downloader import ResultDownloader
from krea_cli.downloads.output_target import FilenameFields, OutputTarget
from krea_cli.errors import KreaError
class Fetcher:
    @contextmanager
    def open(self, url, *, resume_point):
        yield DownloadBody(chunks=iter([Path(sys.argv[1]).read_bytes()]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
target = OutputTarget.parse(sys.argv[2])
try:
    placing = Publisher(force=False, quality=None, warn=None)
    results = ResultDownloader(
        Fetcher(), Clock(), target, fetch_job=None, send=None, publisher=placing)
    list(results.save(
        Job(job_id="j", status="completed", urls=("u",)),
        FilenameFields(time=datetime.now()), first=1, several=False))
except KreaError as exc:
    print(exc.exit_code, exc.message)
"""


class Fetcher:
    """
    Gives for each URL what was planned, the last for ever: chunks, of which an error is
    raised in its place, or an error.  No server of these can go on in the middle.
    """

    length = None

    def __init__(self, **planned):
        self.planned = {url: list(each) for url, each in planned.items()}
        self.asked = []

    @contextmanager
    def open(self, url, *, resume_point):
        self.asked.append(url)
        left = self.planned[url]
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        yield DownloadBody(chunks=self._chunks(found), length=self.length)

    def _chunks(self, found):
        for chunk in found if isinstance(found, list) else [found]:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def save(time):
    """
    Saves a job whose URLs are the names of what was planned; *run.saved* has it as it
    was told last.
    """

    def run(output=None, *, first=1, several=False, files=(), **planned):
        options = {name: planned.pop(name) for name in OPTIONS if name in planned}
        run.fetcher = Fetcher(**planned)
        job = Job(job_id="job-1", status="completed", urls=tuple(planned), files=files)
        saving = results(run.fetcher, time, output, **options)
        for run.saved in saving.save(job, NAMING, first=first, several=several):
            pass
        return run.saved

    return run


def results(fetcher, time, output=None, **options):
    given = {"force": False, "quality": None, "warn": None} | options
    rest = {name: given.pop(name, None) for name in ("fetch_job", "send", "max_bytes")}
    target = OutputTarget.parse(output)
    return ResultDownloader(
        fetcher, time.clock, target, publisher=Publisher(**given), **rest
    )


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_result_is_saved_under_the_extension_of_its_bytes(save, folder, sample):
    """
    Whatever its URL or its server says, byte for byte.
    """
    job = save(a=[sample.content])
    [file] = job.files

    assert [f"job-1.{sample.media.extension}"] == left(folder) == [file.path]
    assert sample.content == Path(file.path).read_bytes()
    assert (sample.media.media_type, len(sample.content)) == (
        file.media_type,
        file.size_bytes,
    )
    assert hashlib.sha256(sample.content).hexdigest() == file.sha256


def test_a_picture_has_its_size_told_and_nothing_else_has(save):
    """
    In pixels.
    """
    sizes = [
        (s.media.kind, save(f"{n}-{{index}}", a=[s.content]).files[0])
        for n, s in enumerate(SAMPLES)
    ]

    assert {(64, 48)} == {(f.width, f.height) for kind, f in sizes if kind == "image"}
    assert {(None, None)} == {(f.width, f.height) for k, f in sizes if k != "image"}


def test_several_results_have_an_index_each(save, folder):
    """
    Counted over the whole call.
    """
    job = save("out.png", first=3, a=[PICTURE], b=[encoded("PNG", picture(seed=8))])

    assert ["out-3.png", "out-4.png"] == left(folder)
    assert ("a", "b") == tuple(file.url for file in job.files)


def test_one_of_several_jobs_has_an_index_too(save, folder):
    """
    The others need the name as well.
    """
    save(several=True, a=[PICTURE])

    assert ["job-1-1.png"] == left(folder)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("output", "one", "other"),
    [
        ("{index}{seed}.png", (1, "j", 12), (11, "j", 2)),
        ("{job_id}.png", (1, "JOB-a", 1), (2, "job-A", 1)),
    ],
)
def test_no_two_results_of_a_run_have_one_name(time, folder, output, one, other, force):
    """
    Also where upper case does not count, and where everything may be overwritten: the
    first one stays.
    """
    saving = results(Fetcher(u=[PICTURE]), time, output, force=force)

    def saved(index, job_id, seed):
        job = Job(job_id=job_id, status="completed", urls=("u",))
        naming = NAMING._replace(seed=seed)
        [job] = saving.save(job, naming, first=index, several="index" in output)
        return job.files

    [file] = saved(*one)
    with pytest.raises(StorageError, match="Two results would get the same name"):
        saved(*other)

    assert [file.path] == left(folder)


def test_folders_are_made_where_they_were_asked_for(save, folder):
    """
    With a slash, or by a template.
    """
    save("new/", a=[PICTURE])
    save("{slug}/{date}/x.{ext}", a=[PICTURE])

    assert {"new/job-1.png", "a-cat/2026-11-22/x.png"} <= set(left(folder))


@pytest.mark.parametrize(
    ("content", "extension"),
    [
        (encoded("TIFF"), "tiff"),
        (encoded("BMP"), "bmp"),
        (generic(encoded("AVIF")), "avif"),
        (
            box(b"ftyp", b"heic" + bytes(4) + b"mif1") + box(b"meta") + box(b"mdat"),
            "heic",
        ),
    ],
)
def test_a_kind_that_no_model_gives_today_is_saved(save, folder, content, extension):
    """
    It is paid for, and other programs can open it.
    """
    save("out.{ext}", a=[content])

    assert [f"out.{extension}"] == left(folder)
    assert content == Path(f"out.{extension}").read_bytes()


@pytest.mark.parametrize("kind", ["TIFF", "BMP"])
def test_a_kind_that_no_model_gives_today_becomes_another(save, folder, kind):
    """
    As every other picture.
    """
    save("out.png", a=[encoded(kind)])

    assert ["out.png"] == left(folder)
    with Image.open("out.png") as picture:
        assert (64, 48) == picture.size


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><p>Log in", "HTML"),
        (b"\n<?xml version='1.0'?><Error/>", "XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unknown file type"),
        (b'{"error": "expired"}', "plain text"),
        (b"MZ" + bytes(100), "unknown file type"),
        (b"RIFF\0\0\0\0AVI LIST" + bytes(100), "unknown file type"),
    ],
)
def test_what_is_no_result_is_not_saved(save, folder, time, content, said):
    """
    Neither under this name nor under another; asking again is vain.
    """
    with pytest.raises(DownloadError, match=said) as caught:
        save("out.png", a=[content])

    if content:  # what nobody here can save, the user may fetch
        assert caught.value.hint.endswith(f": {save.fetcher.asked[0]}")
        assert ("unknown" in said) == caught.value.is_lasting
    assert ([], 1, []) == (left(folder), len(save.fetcher.asked), time.slept)


@pytest.mark.parametrize(
    "fault",
    [
        [PICTURE[:1000], ResponseLostError("The connection broke.")],
        PICTURE[:1000],
        ResponseLostError("No answer."),
        ConnectionFailedError("Nobody there."),
        ServerError("503"),
    ],
    ids=["broken", "cut", "lost", "unreachable", "fault"],
)
def test_passing_trouble_is_overcome(save, folder, time, fault):
    """
    Three tries fail, the fourth gives the whole file and nothing of the others.
    """
    job = save("out.png", a=[fault, fault, fault, PICTURE])

    assert PICTURE == Path("out.png").read_bytes()
    assert (4, 3) == (len(save.fetcher.asked), len(time.slept))
    assert len(PICTURE) == job.files[0].size_bytes


def test_trouble_that_does_not_pass_is_no_result(save, folder):
    """
    Four tries; then exit 7, as the job is paid for and its result is not on disk.
    """
    with pytest.raises(DownloadError, match="incomplete") as caught:
        save("out.png", a=[PICTURE[:-1]])

    assert ExitCode.STORAGE == caught.value.exit_code
    assert (4, []) == (len(save.fetcher.asked), left(folder))


def test_a_long_download_is_tried_again_too(folder, time):
    """
    However long it took until it broke.
    """

    class Slow(Fetcher):
        def _chunks(self, found):
            time.elapsed += 3600
            return super()._chunks(found)

    saving = results(Slow(a=[PICTURE[:9], PICTURE]), time, "out.png")
    job = Job(job_id="j", status="completed", urls=("a",))

    next(saving.save(job, NAMING, first=1, several=False))

    assert PICTURE == (folder / "out.png").read_bytes()


class Looks:
    """
    Gives the job with these URLs, one list after the other, the last for ever; an error
    is raised.
    """

    def __init__(self, *urls, status="completed"):
        self.urls = list(urls)
        self.status = status
        self.asked = []

    def __call__(self, job_id):
        self.asked.append(job_id)
        found = self.urls.pop(0) if len(self.urls) > 1 else self.urls[0]
        if isinstance(found, Exception):
            raise found
        return Job(job_id=job_id, status=self.status, urls=tuple(found))


GONE = UrlExpiredError("https://k.test/a answered 403.")


def test_an_expired_url_is_asked_for_anew(save, folder, time):
    """
    The job tells a fresh one for the same place, without waiting, and that is the one
    which is told.
    """
    look = Looks(["a2", "b2"])
    second = encoded("PNG", picture(seed=8))
    planned = {"a": [GONE], "a2": [PICTURE], "b2": [second]}
    fetcher = Fetcher(**planned)
    job = Job(job_id="job-1", status="completed", urls=("a", "b"))

    saving = results(fetcher, time, fetch_job=look)
    *_, saved = saving.save(job, NAMING, first=1, several=False)

    assert ["a", "a2", "b2"] == fetcher.asked
    assert (["job-1"], []) == (look.asked, time.slept)
    assert ("a2", "b2") == saved.urls == tuple(file.url for file in saved.files)
    assert second == (folder / "job-1-2.png").read_bytes()


def test_the_same_url_may_be_good_a_little_later(save, time):
    """
    A file can be there after the job says so.
    """
    save("out.png", fetch_job=Looks(["a"]), a=[GONE, GONE, GONE, PICTURE])

    assert [1.0] * 3 == time.slept


@pytest.mark.parametrize("fresh", ["a", "b"])
def test_a_url_that_stays_gone_is_given_up(time, folder, fresh):
    """
    After three looks at the job; exit 7, as the job is paid for.
    """
    look, fetcher = Looks([fresh]), Fetcher(a=[GONE], b=[GONE])
    job = Job(job_id="job-1", status="completed", urls=("a",))

    saving = results(fetcher, time, fetch_job=look)
    with pytest.raises(UrlExpiredError) as caught:
        next(saving.save(job, NAMING, first=1, several=False))

    assert (3, 4) == (len(look.asked), len(fetcher.asked))
    assert (ExitCode.STORAGE, []) == (caught.value.exit_code, left(folder))


@pytest.mark.parametrize(
    "look",
    [
        Looks([]),
        Looks(["a", "b"]),
        Looks(["b"], status="failed"),
        Looks(TokenRejectedError("The token was rejected.", hint="Log in.")),
        Looks(ConnectionFailedError("Nobody there.")),
        Looks(UnknownJobError("Never heard of it.")),
    ],
    ids=["no URL", "another number", "failed", "token", "unreachable", "unknown"],
)
def test_without_a_fresh_url_there_is_no_result(save, look):
    """
    Exit 7 whatever the reason, which is told: the job is completed.
    """
    with pytest.raises(DownloadError, match="answered 403") as caught:
        save("out.png", fetch_job=look, a=[GONE])

    assert (1, 1) == (len(look.asked), len(save.fetcher.asked))
    if isinstance(look.urls[0], KreaError):
        assert look.urls[0].message in caught.value.message
        assert look.urls[0].hint == caught.value.hint


def test_refreshes_are_no_attempts(save):
    """
    Three cuts and three expiries are overcome, a fourth cut is not.
    """
    cut = PICTURE[:1000]
    save(
        "out.png", fetch_job=Looks(["a"]), a=[cut, GONE, cut, GONE, GONE, cut, PICTURE]
    )
    assert 7 == len(save.fetcher.asked)

    with pytest.raises(DownloadError, match="incomplete"):
        save(
            "b.png", fetch_job=Looks(["a"]), a=[cut, GONE, cut, cut, GONE, cut, PICTURE]
        )


def test_a_body_without_end_is_given_up(save, folder):
    """
    At a limit, by the bytes that came.
    """
    came = []

    def endless():
        yield PICTURE[:100]
        while True:
            came.append(1)
            yield bytes(10_000)

    class Endless(Fetcher):
        def _chunks(self, found):
            return endless()

    saving = results(Endless(a=[b""]), FakeTime(), "out.png", max_bytes=100_000)
    job = Job(job_id="j", status="completed", urls=("a",))
    with pytest.raises(DownloadError, match="larger than 100,000 bytes") as caught:
        next(saving.save(job, NAMING, first=1, several=False))

    assert ([], 10) == (left(folder), len(came))
    assert "--max-size" in caught.value.hint


def test_a_result_of_just_the_limit_is_saved(save):
    """
    It may have so many bytes, and not one more.
    """
    save("a.png", max_bytes=len(PICTURE), a=[PICTURE])

    with pytest.raises(DownloadError, match="larger than"):
        save("b.png", max_bytes=len(PICTURE) - 1, a=[PICTURE])


def test_a_declared_length_above_the_limit_is_refused_at_once(save, monkeypatch):
    """
    Nothing of it is read.
    """
    monkeypatch.setattr(Fetcher, "length", 2**31 + 1)

    with pytest.raises(DownloadError, match="larger than 2,147,483,648 bytes"):
        save("out.png", a=[[AssertionError("read")]])

    assert 1 == len(save.fetcher.asked)


@pytest.mark.parametrize("wrong", [-1, 1, 417])
def test_as_many_bytes_come_as_were_declared(save, folder, monkeypatch, wrong):
    """
    A container alone does not always tell: an MP3 may end behind any of its frames.
    """
    content = mp3()
    monkeypatch.setattr(Fetcher, "length", len(content) + wrong)

    with pytest.raises(DownloadError, match="incomplete"):
        save(a=[content])

    assert ([], 4) == (left(folder), len(save.fetcher.asked))


def test_what_is_no_result_is_not_read_to_its_end(save):
    """
    Its first bytes tell.
    """
    with pytest.raises(DownloadError, match="HTML"):
        save("out.png", a=[[b"<!DOCTYPE html>" + bytes(99), AssertionError("read")]])


def bomb(width=50_000, height=50_000):
    """
    A whole PNG whose header claims more pixels than there are.
    """
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    at = PICTURE.index(b"IHDR")
    return (
        PICTURE[:at]
        + header
        + struct.pack(">I", zlib.crc32(header))
        + PICTURE[at + len(header) + 4 :]
    )


@pytest.mark.parametrize("output", ["out.png", "out.jpg", "out"])
def test_a_picture_that_claims_too_many_pixels_is_not_saved(save, folder, output):
    """
    Whatever opens it would take gigabytes.
    """
    with pytest.raises(DownloadError, match="50000x50000"):
        save(output, a=[bomb()])

    assert [] == left(folder)


def test_what_was_saved_before_is_not_fetched_again(save, folder):
    """
    Where this run would save it there is the file that is known, byte for byte.
    """
    first = save("out.png", a=[PICTURE])
    again = save("out.png", files=first.files, a=[AssertionError])

    assert first == again
    assert ([], ["out.png"]) == (save.fetcher.asked, left(folder))


def test_without_a_name_a_file_may_be_where_it_was_saved(save, folder):
    """
    And with a name it is to be there, too.
    """
    first = save("out.webp", a=[PICTURE])
    again = save(files=first.files, a=[AssertionError])
    elsewhere = save("b.webp", files=first.files, a=[PICTURE])

    assert first.files == again.files
    assert "b.webp" == elsewhere.files[0].path
    assert ["b.webp", "out.webp"] == left(folder)


@pytest.mark.parametrize("change", ["shorter", "same length", "link", "gone", "force"])
def test_what_was_changed_is_fetched_again(save, folder, change):
    """
    And then not overwritten, unless that is asked for.
    """
    first = save("out.png", a=[PICTURE])
    target = folder / "out.png"
    if change == "shorter":
        target.write_bytes(PICTURE[:-1])
    elif change == "same length":
        target.write_bytes(bytes(len(PICTURE)))
    elif change == "link":
        target.rename(folder / "other.png")
        target.symlink_to("other.png")
    elif change == "gone":
        target.unlink()

    def run():
        save("out.png", files=first.files, force=change == "force", a=[PICTURE])

    if change in ("gone", "force"):
        run()
    else:
        with pytest.raises(TargetExistsError):
            run()

    assert ["a"] == save.fetcher.asked


def test_a_file_that_nobody_knows_may_be_this_very_result(save, folder):
    """
    A run may have been killed as soon as it had saved it.
    """
    for name in ("out.png", "out.webp"):
        first = save(name, a=[PICTURE])
        again = save(name, a=[PICTURE])

        assert first == again

    assert ["out.png", "out.webp"] == left(folder)


def test_an_existing_file_stays(save, folder):
    """
    It may have come in the meantime; --force replaces it.
    """
    (folder / "out.png").write_bytes(b"old")

    with pytest.raises(TargetExistsError):
        save("out.png", a=[PICTURE])

    assert b"old" == (folder / "out.png").read_bytes()
    assert ["out.png"] == left(folder)
    save("out.png", force=True, a=[PICTURE])
    assert PICTURE == (folder / "out.png").read_bytes()


def test_what_was_saved_before_a_failure_stays(save, folder):
    """
    The first of two is there, and told; the second is not.
    """
    with pytest.raises(DownloadError):
        save("out.png", a=[PICTURE], b=[b"<html>"])

    assert ["out-1.png"] == left(folder)
    assert ["out-1.png"] == [file.path for file in save.saved.files]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.webp", "WEBP"),
        ("a.JPG", "JPEG"),
        ("a.gif", "GIF"),
        ("a.tif", "TIFF"),
    ],
)
def test_a_picture_becomes_what_its_name_says(save, folder, name, kind):
    """
    Its description is that of the file on disk.
    """
    [file] = save(name, a=[PICTURE]).files
    content = (folder / name).read_bytes()

    with Image.open(io.BytesIO(content)) as saved:
        assert (kind, (64, 48)) == (saved.format, saved.size)
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (
        file.sha256,
        file.size_bytes,
    )
    assert [name] == left(folder)


@pytest.mark.parametrize(
    ("name", "sample"),
    [("out.png", "mp4"), ("out.wav", "mp3"), ("out.mp4", "png"), ("out.heic", "png")],
)
def test_what_cannot_become_that_is_kept_as_it_came(save, folder, name, sample):
    """
    Exit 7, with the name that is true: it is paid for.
    """
    [content] = [each.content for each in SAMPLES if each.name == sample]

    with pytest.raises(ConversionError, match="Cannot convert") as caught:
        save(name, a=[content])

    assert caught.value.message.endswith(f"Saved unconverted: out.{sample}")
    assert [caught.value.kept] == list(save.saved.files)
    assert [f"out.{sample}"] == left(folder)
    assert content == Path(f"out.{sample}").read_bytes()


def test_a_name_without_a_known_extension_promises_nothing(save, folder):
    """
    The bytes are saved as they are.
    """
    save("out.krea", a=[PICTURE])

    assert ["out.krea"] == left(folder)


def test_a_name_without_an_extension_gets_that_of_the_result(save, folder):
    """
    A file that says nothing of its kind opens nowhere.
    """
    save("out", a=[PICTURE])

    assert ["out.png"] == left(folder)


def test_a_broken_picture_is_not_converted(save, folder):
    """
    Its container is whole, its pixels are not.
    """
    at = PICTURE.index(b"IDAT") + 20
    broken = PICTURE[:at] + bytes(2000) + PICTURE[at + 2000 :]

    with pytest.raises(ConversionError, match="Cannot read"):
        save("out.jpg", a=[broken])

    assert ["out.png"] == left(folder)


def test_what_is_kept_takes_the_place_of_nothing(save, folder):
    """
    Not even with --force, which was said of another name; the same again is no other.
    """
    Path("out.png").write_bytes(b"mine")

    for _ in range(2):
        with pytest.raises(ConversionError) as caught:
            save("out.mp4", force=True, a=[PICTURE])

    kept = f"out-{hashlib.sha256(PICTURE).hexdigest()[:8]}.png"
    assert kept in caught.value.message
    assert (b"mine", PICTURE) == (
        Path("out.png").read_bytes(),
        Path(kept).read_bytes(),
    )
    assert 2 == len(left(folder))


def test_what_is_converted_says_from_what(save):
    """
    The rest is of the file on disk; the same kind stays as it came, whatever quality.
    """
    [made] = save("out.webp", a=[PICTURE]).files
    [kept] = save("out.png", quality=5, a=[PICTURE]).files

    assert ("image/webp", "image/png") == (made.media_type, made.converted_from)
    assert kept.converted_from is None
    assert hashlib.sha256(PICTURE).hexdigest() == kept.sha256


def test_another_quality_is_made_anew(save):
    """
    What is there was made with the usual one; without a wish it is good as it is.
    """
    first = save("out.jpg", a=[PICTURE])

    with pytest.raises(TargetExistsError):
        save("out.jpg", quality=10, files=first.files, a=[PICTURE])
    again = save("out.jpg", quality=10, force=True, files=first.files, a=[PICTURE])

    assert again.files[0].size_bytes < first.files[0].size_bytes / 2
    assert again == save("out.jpg", files=again.files, a=[AssertionError])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF", "PNG"])
def test_an_animation_becomes_its_first_picture(save, kind):
    """
    With a warning that says how to have all of it.
    """
    told = []
    first, second = Image.new("RGB", (64, 48), "red"), picture()
    content = encoded(kind, first, save_all=True, append_images=[second])
    output = "out.tiff" if kind == "AVIF" else "out.avif"

    [file] = save(output, warn=told.append, a=[content]).files

    with Image.open(file.path) as made:
        assert 1 == getattr(made, "n_frames", 1)
        red, green, _ = made.convert("RGB").getpixel((40, 30))
    assert red > 200
    assert green < 60
    assert [f"*.{kind.lower()}" in each for each in told] == [True]


def test_a_picture_of_too_many_pixels_is_kept_as_it_came(save, folder):
    """
    More than can be decoded in the memory there is, though not more than there can be.
    """
    large = bomb(20_000, 20_000)

    with pytest.raises(ConversionError, match="too many pixels"):
        save("out.jpg", a=[large])

    assert ["out.png"] == left(folder)


def test_an_encoder_that_takes_too_long_is_left_behind(save, folder, monkeypatch):
    """
    Exit 7, with the picture as it came.
    """
    enough = threading.Event()
    monkeypatch.setattr(decoding, "TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(conversion, "convert", lambda *_, **__: enough.wait(9))

    with pytest.raises(ConversionError, match="too long"):
        save("out.webp", a=[PICTURE])
    enough.set()

    assert ["out.png"] == left(folder)


def test_standard_output_gets_the_bytes(save, folder, monkeypatch):
    """
    Whole and verified before the first one is sent; nobody else can read the file
    meanwhile, and it stays nowhere.
    """
    sent = []
    place = folder / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))

    def send(file):
        [path] = place.rglob(".krea-*.part")
        modes = [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path)]
        assert [0o700, 0o600] == modes
        file.seek(0)
        sent.append(file.read())

    [file] = save("-", send=send, a=[PICTURE[:100], PICTURE]).files

    assert ([PICTURE], "-") == (sent, file.path)
    assert [] == list(place.iterdir())


def test_standard_output_takes_no_two_results(save):
    """
    Exit 7, as both are there to be saved.
    """
    with pytest.raises(StorageError, match="one result only") as caught:
        save("-", send=lambda file: None, a=[PICTURE], b=[PICTURE])

    assert ExitCode.STORAGE == caught.value.exit_code
    assert [] == save.fetcher.asked


@pytest.mark.posix
def test_a_folder_that_went_away_is_told(folder, time):
    """
    During the download; the job is kept.
    """
    (folder / "sub").mkdir()

    class Removing(Fetcher):
        def _chunks(self, found):
            yield from super()._chunks(found)
            for path in (folder / "sub").iterdir():
                path.unlink()
            (folder / "sub").rmdir()

    saving = results(Removing(a=[PICTURE]), time, "sub/out.png")
    job = Job(job_id="j", status="completed", urls=("a",))

    with pytest.raises(StorageError):
        next(saving.save(job, NAMING, first=1, several=False))

    assert [] == left(folder)


@pytest.mark.parametrize("output", ["out.png", "out.tiff"])
def test_a_full_disk_is_told_and_leaves_nothing_half(folder, tmp_path, output):
    """
    While the result comes, and while it is converted: what came is kept.
    """
    source = tmp_path / "source.png"
    noise = encoded("PNG", picture((100, 90)))
    flat = encoded("PNG", Image.new("RGB", (100, 90)))
    source.write_bytes(noise if output == "out.png" else flat)

    result = subprocess.run(
        [sys.executable, "-c", FULL, source, output],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ},
    )

    assert result.stdout.startswith("7 ")
    assert "File too large" in result.stdout
    assert ([] if output == "out.png" else ["out.png"]) == left(folder)


class Meeting(Fetcher):
    """
    Answers only when all of `count` results are asked for at the same time.
    """

    def __init__(self, count, **planned):
        super().__init__(**planned)
        self._barrier = threading.Barrier(count)

    @contextmanager
    def open(self, url, *, resume_point):
        self._barrier.wait(5)
        with super().open(url, resume_point=resume_point) as body:
            yield body


def test_downloader_with_a_pool_fetches_the_results_of_a_job_at_once(time, folder):
    fetcher = Meeting(4, a=[PICTURE], b=[PICTURE], c=[PICTURE], d=[PICTURE])
    job = Job(job_id="job-1", status="completed", urls=("a", "b", "c", "d"))
    saving = results(fetcher, time, "out.png")

    with WorkerPool(3) as pool:
        seen = [
            len(found.files)
            for found in saving.save(job, NAMING, first=1, several=False, pool=pool)
        ]

    assert [1, 2, 3, 4] == seen
    names = sorted(path.name for path in folder.iterdir())
    assert ["out-1.png", "out-2.png", "out-3.png", "out-4.png"] == names


def test_downloader_with_a_pool_saves_nothing_behind_a_failed_result(time, folder):
    fetcher = Meeting(3, a=[PICTURE], b=[DownloadError("no")], c=[PICTURE])
    job = Job(job_id="job-1", status="completed", urls=("a", "b", "c"))
    saving = results(fetcher, time, "out.png")

    with WorkerPool(3) as pool:
        saved = saving.save(job, NAMING, first=1, several=False, pool=pool)
        assert 1 == len(next(saved).files)
        with pytest.raises(DownloadError, match="no"):
            next(saved)

    assert ["out-1.png"] == [path.name for path in folder.iterdir()]
