"""
The file of a lock, written by several processes, cut off, and merged by git.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import threading
import time

import pytest
from batch.lines import SERVICE, line

from krea_cli.batch import lock_file
from krea_cli.batch.lock import Lock
from krea_cli.batch.lock_file import LockFile
from krea_cli.errors import StorageError, UsageError
from krea_cli.runtime import signals


@pytest.fixture
def lock(tmp_path):
    return LockFile(tmp_path / "pictures.toml.lock")


def numbered(number, state="completed"):
    return line(f"{number:03}.png", state, job=f"job-{number}", record=f"r{number}")


def test_read_without_a_file_has_no_lines(lock):
    assert [] == lock.read()
    assert not lock.path.exists()


def test_append_and_read_give_the_lines_back(lock):
    lock.append([numbered(1)])
    lock.append([numbered(2), numbered(1, "submitted")])

    assert [numbered(1), numbered(2), numbered(1, "submitted")] == lock.read()


def test_replace_sorts_and_leaves_out_what_no_longer_counts(lock):
    lock.append([numbered(2), numbered(1, "submitted"), numbered(1)])

    lock.replace([numbered(3)])

    assert [numbered(1), numbered(2), numbered(3)] == lock.read()


def test_replace_unchanged_leaves_the_file_alone(lock):
    lock.replace([numbered(1)])
    before = lock.path.stat()

    lock.replace()

    after = lock.path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_replace_keeps_the_link_and_the_mode(tmp_path):
    target = tmp_path / "shared.lock"
    target.touch(mode=0o640)
    link = tmp_path / "pictures.toml.lock"
    link.symlink_to(target)

    LockFile(link).replace([numbered(1)])

    assert link.is_symlink()
    assert 0o640 == target.stat().st_mode & 0o777
    assert [numbered(1)] == LockFile(target).read()


def test_append_reopens_a_file_that_was_replaced_meanwhile(lock, monkeypatch):
    lock.append([numbered(1)])
    flock = lock_file.fcntl.flock
    replaced = []

    def late(file, kind):
        if not replaced:
            replaced.append(file)
            LockFile(lock.path).replace([numbered(2)])
        flock(file, kind)

    monkeypatch.setattr(lock_file.fcntl, "flock", late)

    lock.append([numbered(3)])

    assert [numbered(1), numbered(2), numbered(3)] == lock.read()


def test_append_on_a_file_system_without_locks(lock, monkeypatch):
    def no_locks(_file, _kind):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock_file.fcntl, "flock", no_locks)

    lock.append([numbered(1)])

    assert [numbered(1)] == lock.read()


def test_append_after_a_torn_line_leaves_it_out(lock):
    lock.append([numbered(1), numbered(2)])
    data = lock.path.read_bytes()
    lock.path.write_bytes(data[:-20])

    assert [numbered(1)] == lock.read()

    lock.append([numbered(3)])

    assert [numbered(1), numbered(3)] == lock.read()


def test_append_after_a_line_without_end_keeps_it(lock):
    lock.append([numbered(1)])
    lock.path.write_bytes(lock.path.read_bytes().rstrip())

    assert [numbered(1)] == lock.read()

    lock.append([numbered(2)])

    assert [numbered(1), numbered(2)] == lock.read()


def test_read_with_crlf_and_a_byte_order_mark(lock):
    lock.append([numbered(1), numbered(2)])
    data = lock.path.read_bytes().replace(b"\n", b"\r\n")
    lock.path.write_bytes(b"\xef\xbb\xbf" + data)

    assert [numbered(1), numbered(2)] == lock.read()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (b"<<<<<<< HEAD\n", "pictures.toml.lock, line 2: git could not merge", "<<<"),
        (b"{}\n", "pictures.toml.lock, line 2 is damaged", "Restore"),
        (b"\xff\n", "line 2 is damaged: it is not UTF-8", "Restore"),
        (b"nothing", "line 2 is damaged: it is not JSON.", "Restore"),
        (b'{"v": 2}\n', "was written by a newer krea", "Update"),
        (b'{"v": 2}', "was written by a newer krea", "Update"),
    ],
)
def test_read_damaged_is_refused_with_its_line(lock, text, message, hint):
    lock.append([numbered(1)])
    data = lock.path.read_bytes() + text
    lock.path.write_bytes(data)

    with pytest.raises(UsageError) as caught:
        lock.read()
    with pytest.raises(UsageError):
        lock.replace([numbered(2)])

    assert message in caught.value.message
    assert hint in caught.value.hint
    assert data == lock.path.read_bytes()


def test_append_where_nothing_can_be_written_is_an_error(tmp_path):
    with pytest.raises(StorageError):
        LockFile(tmp_path / "none" / "x.lock").append([numbered(1)])


def test_prompts_are_not_kept_where_they_are_not_wanted(tmp_path):
    lock = LockFile(tmp_path / "x.lock", keeps_prompts=False)
    lock.append([numbered(1)])
    lock.replace([numbered(2)])

    assert "an owl" not in lock.path.read_text()
    found = Lock.of(lock.read(), SERVICE)
    assert found.matching(numbered(1).identity)


def test_concatenated_locks_are_a_lock(tmp_path):
    first, second = LockFile(tmp_path / "a.lock"), LockFile(tmp_path / "b.lock")
    first.replace([numbered(1), numbered(2, "submitted")])
    second.replace([numbered(2), numbered(3)])
    both = LockFile(tmp_path / "both.lock")
    both.path.write_bytes(second.path.read_bytes() + first.path.read_bytes() * 2)

    both.replace()

    assert [numbered(1), numbered(2), numbered(3)] == both.read()


def _write_many(path, start):
    lock = LockFile(path)
    for number in range(start, start + 30):
        lock.append([numbered(number, "submitted")])
        if not number % 7:
            lock.replace([numbered(number)])


@pytest.mark.skipif(os.name == "nt", reason="no flock")
def test_append_of_several_processes_loses_nothing(lock):
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_write_many, args=(lock.path, start))
        for start in (0, 100, 200)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    lock.replace()

    jobs = [each.job for each in lock.read()]
    expected = [f"job-{at + n}" for at in (0, 100, 200) for n in range(30)]
    assert sorted(expected) == sorted(jobs)


@pytest.mark.parametrize("job", ["", "../assets/1", "a b", "x?status=completed", "é"])
def test_read_line_with_an_invalid_job_id_is_refused_with_its_line(lock, job):
    lock.append([numbered(1), line("b.png", job=job, record="r9")])

    with pytest.raises(UsageError, match=r"line 2 .* its job is not a job id"):
        lock.read()


@pytest.mark.posix
@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("act", ["read", "append", "replace"])
def test_lock_that_is_not_a_regular_file_is_an_error_at_once(lock, kind, act):
    if kind == "pipe":
        os.mkfifo(lock.path)
    elif kind == "folder":
        lock.path.mkdir()
    else:
        lock.path.symlink_to("/dev/zero")
        lock = LockFile(lock.path)

    with pytest.raises(StorageError) as caught:
        lock.append([numbered(1)]) if act == "append" else getattr(lock, act)()

    assert caught.value.message.startswith("Cannot ")
    assert "\n" not in caught.value.message


def test_lock_that_is_far_too_large_is_an_error(lock, monkeypatch):
    lock.append([numbered(1)])
    monkeypatch.setattr(lock_file, "MAX_BYTES", 100)

    for act in (lock.read, lock.replace):
        with pytest.raises(StorageError, match="larger than"):
            act()


def test_append_on_a_full_disk_leaves_the_lines_before_it(lock, monkeypatch):
    lock.append([numbered(1)])
    before = lock.path.read_bytes()

    def half(file, data):
        os.write(file, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(lock_file, "_write", half)
        with pytest.raises(StorageError, match="No space left"):
            lock.append([numbered(2)])

    assert before == lock.path.read_bytes()


@pytest.fixture
def held(lock):
    """
    The lock, while another open file of it is locked.
    """
    lock.append([numbered(1)])
    with lock.path.open("rb") as file:
        lock_file.fcntl.flock(file, lock_file.fcntl.LOCK_EX)
        yield file


@pytest.mark.posix
@pytest.mark.timeout(10)
@pytest.mark.usefixtures("held")
def test_append_to_a_held_lock_obeys_a_signal(lock, monkeypatch):
    caught = []

    def append():
        signals.enable_interrupts()
        try:
            lock.append([numbered(2)])
        except signals.Interrupted as exc:
            caught.append(exc.signum)

    thread = threading.Thread(target=append)
    thread.start()
    monkeypatch.setattr(signals._State, "signum", 15)
    monkeypatch.setattr(signals._State, "at", time.monotonic())
    thread.join(5)

    assert [15] == caught


@pytest.mark.posix
@pytest.mark.timeout(10)
@pytest.mark.usefixtures("held")
def test_append_to_a_held_lock_after_a_signal_gives_up(lock, monkeypatch):
    monkeypatch.setattr(signals._State, "signum", 15)
    monkeypatch.setattr(signals._State, "at", time.monotonic() - 1)

    with pytest.raises(StorageError, match=r"Another process uses .*pictures"):
        lock.append([numbered(2)])


@pytest.mark.posix
@pytest.mark.timeout(10)
def test_append_to_a_held_lock_says_what_it_waits_for(lock, held, monkeypatch):
    monkeypatch.setattr(lock_file, "NOTICE_SECONDS", 0.0)
    monkeypatch.chdir(lock.path.parent)
    notes = []

    def note(text):
        notes.append(text)
        lock_file.fcntl.flock(held, lock_file.fcntl.LOCK_UN)

    LockFile(lock.path, note=note).append([numbered(2)])

    assert ["Another process uses pictures.toml.lock; waiting for it."] == notes
    assert [numbered(1), numbered(2)] == lock.read()


@pytest.mark.skipif(os.name == "nt", reason="no flock")
@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [(False, False, False), (True, False, True), (False, True, True)],
)
def test_hold_lets_nobody_in_beside_a_run_that_must_be_alone(
    tmp_path, first, second, waits
):
    path, entered = tmp_path / "new" / "pictures.toml.lock", threading.Event()

    def enter():
        with LockFile(path).hold(alone=second):
            entered.set()

    thread = threading.Thread(target=enter)
    with LockFile(path).hold(alone=first):
        thread.start()
        assert entered.wait(0.2) != waits
    thread.join(5)

    assert entered.is_set()
