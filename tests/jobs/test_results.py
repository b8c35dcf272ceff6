from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from jobs.samples import SAMPLES, encoded, picture
from PIL import Image

from krea_cli.api.fetch import UrlGoneError
from krea_cli.api.resources import Job
from krea_cli.errors import (
    DownloadError,
    ExitCode,
    LostAnswerError,
    ServerFaultError,
    StorageError,
    TargetExistsError,
    UnreachableError,
)
from krea_cli.jobs import results as results_module
from krea_cli.jobs.results import Results
from krea_cli.jobs.targets import Naming, Target

PICTURE = encoded("PNG")
NAMING = Naming(now=datetime(2026, 11, 22).astimezone(), prompt="A cat")
FULL = """
import resource, signal, sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from krea_cli.api.resources import Job
from krea_cli.clock import Clock
from krea_cli.jobs.results import Results
from krea_cli.jobs.targets import Naming, Target
from krea_cli.errors import KreaError
class Fetcher:
    @contextmanager
    def open(self, url):
        yield iter([Path(sys.argv[1]).read_bytes()]), None
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
target = Target.parse(sys.argv[2])
try:
    Results(Fetcher(), Clock(), target, force=False, send=None).save(
        Job(job_id="j", status="completed", urls=("u",)),
        Naming(now=datetime.now()), first=1, several=False)
except KreaError as exc:
    print(exc.exit_code, exc.message)
"""


class Fetcher:
    """
    Gives for each URL what was planned, the last for ever: chunks, of which an error is
    raised in its place, or an error.
    """

    def __init__(self, **planned):
        self.planned = {url: list(each) for url, each in planned.items()}
        self.asked = []

    @contextmanager
    def open(self, url):
        self.asked.append(url)
        left = self.planned[url]
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        yield self._chunks(found), None

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
    Saves a job whose URLs are the names of what was planned.
    """

    def run(output=None, *, force=False, send=None, first=1, several=False, **planned):
        run.fetcher = Fetcher(**planned)
        saving = Results(
            run.fetcher, time.clock, Target.parse(output), force=force, send=send
        )
        job = Job(job_id="job-1", status="completed", urls=tuple(planned))
        return saving.save(job, NAMING, first=first, several=several)

    return run


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


def test_folders_are_made_where_they_were_asked_for(save, folder):
    """
    With a slash, or by a template.
    """
    save("new/", a=[PICTURE])
    save("{slug}/{date}/x.{ext}", a=[PICTURE])

    assert {"new/job-1.png", "a-cat/2026-11-22/x.png"} <= set(left(folder))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><p>Log in", "HTML"),
        (b"\n<?xml version='1.0'?><Error/>", "XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "XML"),
        (b'{"error": "expired"}', "kind that is not known"),
        (b"MZ" + bytes(100), "kind that is not known"),
        (encoded("TIFF"), "kind that is not known"),
    ],
)
def test_what_is_no_result_is_not_saved(save, folder, time, content, said):
    """
    Neither under this name nor under another (hazards F2, F14); asking again is vain.
    """
    with pytest.raises(DownloadError, match=said):
        save("out.png", a=[content])

    assert ([], 1, []) == (left(folder), len(save.fetcher.asked), time.slept)


@pytest.mark.parametrize(
    "fault",
    [
        [PICTURE[:1000], LostAnswerError("The connection broke.")],
        PICTURE[:1000],
        LostAnswerError("No answer."),
        UnreachableError("Nobody there."),
        ServerFaultError("503"),
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
    with pytest.raises(DownloadError, match="ended too early") as caught:
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

    saving = Results(
        Slow(a=[PICTURE[:9], PICTURE]),
        time.clock,
        Target.parse("out.png"),
        force=False,
        send=None,
    )
    job = Job(job_id="j", status="completed", urls=("a",))

    saving.save(job, NAMING, first=1, several=False)

    assert PICTURE == (folder / "out.png").read_bytes()


def test_an_expired_url_is_not_tried_again(save, folder):
    """
    It would be gone again.
    """
    with pytest.raises(UrlGoneError):
        save("out.png", a=[UrlGoneError("403")])

    assert (1, []) == (len(save.fetcher.asked), left(folder))


def test_a_body_without_end_is_given_up(save, folder, monkeypatch):
    """
    At a limit, by the bytes that came (hazard F15).
    """
    monkeypatch.setattr(results_module, "MOST_BYTES", 100_000)
    chunks = [PICTURE[:8], *[bytes(10_000)] * 50]

    with pytest.raises(DownloadError, match="more than 2 GiB"):
        save("out.png", a=[chunks])

    assert ([], 1) == (left(folder), len(save.fetcher.asked))


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
    The first of two is there, the second is not.
    """
    with pytest.raises(DownloadError):
        save("out.png", a=[PICTURE], b=[b"<html>"])

    assert ["out-1.png"] == left(folder)


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
def test_what_cannot_become_that_is_not_saved(save, folder, name, sample):
    """
    Exit 7: it is paid for, and another name will do.
    """
    [content] = [each.content for each in SAMPLES if each.name == sample]

    with pytest.raises(StorageError, match="cannot become") as caught:
        save(name, a=[content])

    assert f"*.{sample}" in caught.value.hint
    assert [] == left(folder)


def test_a_name_without_a_known_extension_promises_nothing(save, folder):
    """
    The bytes are saved as they are.
    """
    save("out.krea", a=[PICTURE])
    save("out", a=[PICTURE])

    assert ["out", "out.krea"] == left(folder)


def test_a_broken_picture_is_not_converted(save, folder):
    """
    Its container is whole, its pixels are not.
    """
    at = PICTURE.index(b"IDAT") + 20
    broken = PICTURE[:at] + bytes(2000) + PICTURE[at + 2000 :]

    with pytest.raises(StorageError):
        save("out.jpg", a=[broken])

    assert [] == left(folder)


def test_standard_output_gets_the_bytes(save, folder):
    """
    Whole and verified before the first one is sent; no file stays anywhere.
    """
    sent = []

    def send(file):
        file.seek(0)
        sent.append(file.read())

    before = set(Path(results_module.tempfile.gettempdir()).glob(".krea-*"))
    [file] = save("-", send=send, a=[PICTURE[:100], PICTURE]).files

    assert ([PICTURE], "-") == (sent, file.path)
    assert before == set(Path(results_module.tempfile.gettempdir()).glob(".krea-*"))


def test_standard_output_takes_no_two_results(save):
    """
    Exit 7, as both are there to be saved.
    """
    with pytest.raises(StorageError, match="2 results") as caught:
        save("-", send=lambda file: None, a=[PICTURE], b=[PICTURE])

    assert ExitCode.STORAGE == caught.value.exit_code
    assert [] == save.fetcher.asked


def test_a_folder_that_went_away_is_told(folder, time):
    """
    During the download; the job is kept.
    """
    (folder / "sub").mkdir()
    target = Target.parse("sub/out.png")

    class Removing(Fetcher):
        def _chunks(self, found):
            yield from super()._chunks(found)
            for path in (folder / "sub").iterdir():
                path.unlink()
            (folder / "sub").rmdir()

    saving = Results(Removing(a=[PICTURE]), time.clock, target, force=False, send=None)
    job = Job(job_id="j", status="completed", urls=("a",))

    with pytest.raises(StorageError):
        saving.save(job, NAMING, first=1, several=False)

    assert [] == left(folder)


@pytest.mark.parametrize("output", ["out.png", "out.tiff"])
def test_a_full_disk_is_told_and_leaves_nothing(folder, tmp_path, output):
    """
    While the result comes, and while it is converted (hazard F11).
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
    assert [] == left(folder)
