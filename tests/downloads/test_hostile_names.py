"""
Whatever names are made of: results are placed by the real functions, as real files.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import FakeTime, png
from downloads.test_output_target import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from krea_cli.api.http_types import DownloadBody
from krea_cli.api.models import Job
from krea_cli.downloads.downloader import ResultDownloader
from krea_cli.downloads.filename_template import FIELDS
from krea_cli.downloads.output_target import FilenameFields, OutputTarget
from krea_cli.downloads.publish import Publisher
from krea_cli.errors import StorageError, UsageError

pytestmark = pytest.mark.long
NOW = datetime(2026, 11, 22).astimezone()
PICTURES = {str(width): png((width, 4)) for width in (1, 2, 3)}
FOLDER = "a/b/c/out"
MINE = ("mine.png", f"{FOLDER}/result-1.png", f"{FOLDER}/job-1.png", "a/x.png")
NAMING = st.builds(
    FilenameFields,
    time=st.just(NOW),
    model=HOSTILE,
    prompt=HOSTILE,
    source=HOSTILE,
    seed=st.none() | st.integers(),
)
# What the user writes between the fields is theirs; folders are tried of their own.
LITERAL = HOSTILE.filter(lambda text: "/" not in text)
PART = st.sampled_from(["/", "{index:3}", *(f"{{{field}}}" for field in FIELDS)])
ENDING = st.sampled_from([".png", ".{ext}", "", ".", "/"])


class Fetcher:
    @contextmanager
    def open(self, url, *, resume_point):
        yield DownloadBody(chunks=iter([PICTURES[url]]))


def tree(folder):
    """
    Every path below the folder, with the content of files.
    """
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def is_within(path, folder):
    return Path(os.path.normpath(path)).is_relative_to(folder)


def save(target, names, folder):
    """
    What is saved of three jobs, by its path.
    """
    placing = Publisher(force=False, quality=None, warn=None)
    saving = ResultDownloader(
        Fetcher(),
        FakeTime().clock,
        target,
        fetch_job=None,
        send=None,
        publisher=placing,
    )
    saved = {}
    for index, (url, naming) in enumerate(zip(PICTURES, names, strict=True), 1):
        job = Job(job_id=f"job-{index}", status="completed", urls=(url,))
        path = target.path(
            naming.values(job_id=job.job_id, index=index, extension="png"), several=True
        )
        # Nothing is tried that would be written elsewhere if it were.
        assert is_within(path, folder)
        with suppress(StorageError):
            [job] = saving.save(job, naming, first=index, several=True)
            [file] = job.files
            saved[Path(file.path)] = PICTURES[url]
    return saved


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(PART | LITERAL, min_size=1, max_size=5),
    ending=ENDING,
    names=st.tuples(NAMING, NAMING, NAMING),
)
def test_nothing_is_placed_elsewhere_or_in_the_place_of_another(parts, ending, names):
    """
    Every file that is told is there, whole and inside the folder that was asked for;
    nothing else is new, and what was there before is as it was.
    """
    with TemporaryDirectory() as name:
        base = Path(name)
        folder = base / FOLDER
        folder.mkdir(parents=True)
        for mine in MINE:
            (base / mine).write_bytes(b"mine")
        before = tree(base)
        output = f"{folder}/{''.join(parts)}{ending}"
        try:
            target = OutputTarget.parse(output)
        except UsageError:
            return
        if ".." in Path(output).parts:
            return

        saved = save(target, names, folder)

        after = tree(base)
        new = {path: after[path] for path in after.keys() - before.keys()}
        assert before == {path: after.get(path) for path in before}
        assert saved == {path: new[path] for path in new if new[path] is not None}
        assert all(path.is_relative_to(folder) for path in new)
