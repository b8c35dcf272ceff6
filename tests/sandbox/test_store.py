"""
The folder of the sandbox: whole files, private, shared, and robust.
"""

from __future__ import annotations

import json
import os
import threading
import time as real_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.asking import picture

from krea_cli.sandbox.blob_store import create_private_folder
from krea_cli.sandbox.job import SandboxJob
from krea_cli.sandbox.store import VARIANTS, SandboxStore

IMAGE = {
    "model": "image/google/nano-banana-pro",
    "medium": "image",
    "image_format": "png",
    "fields": {"prompt": "a red fox", "width": 64, "height": 48},
}


@pytest.fixture
def store(tmp_path, time):
    return SandboxStore(tmp_path / "store", clock=time.wall)


def test_job_comes_back_as_it_was(store):
    """
    Another store on the same folder has the same job.
    """
    job = store.add_job(**IMAGE)

    assert job == SandboxStore(store.folder).job(job.job_id)
    assert [job] == SandboxStore(store.folder).jobs()


def test_folder_and_files_are_private(store):
    """
    Prompts and pictures are for their user alone.
    """
    old = os.umask(0)
    try:
        store = SandboxStore(store.folder.with_name("open"))
        store.add_job(**IMAGE)
        store.store_input([picture()])
    finally:
        os.umask(old)
    paths = [store.folder, *store.folder.rglob("*")]
    modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in paths}

    assert {True: 0o700, False: 0o600} == modes


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"{}", b"[" * 100_000, b'{"job_id": 5}'],
)
def test_damaged_job_is_an_unknown_job(store, content):
    """
    What cannot be read is not there; the other jobs are.
    """
    damaged, whole = store.add_job(**IMAGE), store.add_job(**IMAGE)
    (store.folder / "jobs" / f"{damaged.job_id}.json").write_bytes(content)

    assert store.job(damaged.job_id) is None
    assert [whole] == store.jobs()


@settings(max_examples=150, deadline=None)
@given(
    field=st.sampled_from(sorted(SandboxJob.__dataclass_fields__)),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.sampled_from(["", "image", "\0"])
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=2),
)
def test_job_with_a_wrong_value_never_crashes(tmp_path_factory, field, value):
    """
    Any one field replaced by anything: the job is unknown, or it can be answered.
    """
    store = SandboxStore(tmp_path_factory.mktemp("store"))
    job = store.add_job(**IMAGE)
    path = store.folder / "jobs" / f"{job.job_id}.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {field: value}))

    for found in store.jobs():
        assert found.as_response(real_time.time(), "http://127.0.0.1")["status"]


def test_damaged_upload_is_unknown(store):
    """
    So is one whose bytes are gone.
    """
    first = store.add_upload(store.store_input([picture()]), None)
    second = store.add_upload(store.store_input([picture((9, 9))]), None)
    (store.folder / "uploads" / f"{first.id}.json").write_text('{"id": 1}')
    store.input_path(second.sha256).unlink()

    assert [None, None] == [store.upload(first.id), store.upload(second.id)]


def test_result_is_rendered_once(store):
    """
    The second demand, and another job that asks for the same with the same seed, get
    the same file.
    """
    seeded = IMAGE | {"fields": IMAGE["fields"] | {"seed": 7}}
    first, second = store.add_job(**seeded), store.add_job(**seeded)
    path = store.result_path(first, first.files[0])
    written = path.stat().st_mtime_ns

    assert path == store.result_path(second, second.files[0])
    assert written == path.stat().st_mtime_ns


def test_without_a_seed_some_results_in_a_row_differ(store):
    """
    So that variants of one request can be told apart, also in a later process; after
    those the first ones come again, as each takes time to be rendered.
    """
    jobs = [store.add_job(**IMAGE) for _ in range(VARIANTS - 1)]
    later = SandboxStore(store.folder, clock=store.now)
    jobs += [later.add_job(**IMAGE) for _ in range(2)]
    results = [store.result_path(job, job.files[0]).read_bytes() for job in jobs]

    assert VARIANTS == len(set(results))
    assert results[0] == results[-1]


def test_result_is_the_same_in_another_folder(store, tmp_path):
    """
    The same request gives the same bytes wherever it is made; another prompt does not.
    """
    other = SandboxStore(tmp_path / "other")
    seeded = IMAGE | {"fields": IMAGE["fields"] | {"seed": 7}}
    changed = IMAGE | {"fields": seeded["fields"] | {"prompt": "a blue fox"}}
    jobs = [(store, seeded), (other, seeded), (other, changed)]
    first, second, third = (
        at.result_path(job, job.files[0]).read_bytes()
        for at, body in jobs
        for job in [at.add_job(**body)]
    )

    assert first == second
    assert first != third


def test_many_threads_make_jobs_of_different_times(store):
    """
    Though the clock stands still, no two jobs have the same place in the list.
    """
    threads = [
        threading.Thread(target=lambda: [store.add_job(**IMAGE) for _ in range(10)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [job.as_response(0, "")["created_at"] for job in store.jobs()]

    assert 40 == len(set(times))
    assert sorted(times, reverse=True) == times


def test_reset_forgets_everything(store):
    """
    Jobs, uploads and results are gone; the store goes on.
    """
    job = store.add_job(**IMAGE)
    upload = store.add_upload(store.store_input([picture()]), None)
    store.result_path(job, job.files[0])
    count = store.reset()

    assert 1 == count
    assert (None, None) == (store.job(job.job_id), store.upload(upload.id))
    assert [] == [path for path in store.folder.rglob("*") if path.is_file()]
    assert store.add_job(**IMAGE) in store.jobs()


def test_what_killed_processes_left_is_swept(tmp_path):
    """
    Begun files of a day ago go; those of now, and all others, stay.
    """
    old, new, other = (tmp_path / name for name in (".part-old", ".part-new", "other"))
    for path in (old, new, other):
        path.write_bytes(b"")
    for path in (old, other):
        os.utime(path, (0, 0))
    create_private_folder(tmp_path)

    assert [new, other] == sorted(tmp_path.iterdir())
