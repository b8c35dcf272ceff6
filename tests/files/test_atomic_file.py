from __future__ import annotations

import errno
import hashlib
import os
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from krea_cli.errors import StorageError, TargetExistsError
from krea_cli.files import atomic_file
from krea_cli.files.atomic_file import (
    AtomicFile,
    check_folder,
    has_content,
    replace_file,
)
from krea_cli.files.private_dir import make_private_dir
from krea_cli.files.rename_noreplace import rename_noreplace

WRITE = """
import os, resource, sys, time
from pathlib import Path
from krea_cli.errors import KreaError
from krea_cli.files.atomic_file import AtomicFile
target, content, umask, limit = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
os.umask(int(umask, 8))
if int(limit):
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    with AtomicFile(target.parent) as new:
        new.file.write(content.encode() * 1000)
        while not Path(sys.argv[5]).exists():
            time.sleep(0.001)
        new.publish(target)
except KreaError as exc:
    sys.exit(exc.message)
"""


def write(target, content="x", *, umask="022", limit=0, start="/"):
    """
    A process that writes, and publishes as soon as the file *start* is there.
    """
    words = [sys.executable, "-c", WRITE, target, content, umask, limit, start]
    return subprocess.Popen(list(map(str, words)), stderr=subprocess.PIPE)


def ended(process):
    """
    The exit code and what was said.
    """
    with process:
        said = process.communicate()[1].decode()
    return process.returncode, said


def publish(target, content=b"new", **options):
    with AtomicFile(target.parent) as new:
        new.file.write(content)
        new.publish(target, **options)


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_its_name_when_it_is_finished(tmp_path):
    """
    Until then it is a hidden one beside it; then there is nothing else.
    """
    target = tmp_path / "out.png"

    with AtomicFile(tmp_path) as new:
        new.file.write(b"content")
        before = left(tmp_path)
        new.publish(target)

    assert [new.path.name] == before
    assert before[0].startswith(".krea-")
    assert (["out.png"], b"content") == (left(tmp_path), target.read_bytes())


def test_what_was_not_published_leaves_nothing(tmp_path):
    """
    Whatever the reason, a signal included.
    """
    for error in (ValueError, KeyboardInterrupt):
        with suppress(error), AtomicFile(tmp_path) as new:
            new.file.write(b"content")
            raise error

    assert [] == left(tmp_path)


def test_an_existing_file_is_not_overwritten(tmp_path):
    """
    It stays as it was.
    """
    target = tmp_path / "out.png"
    target.write_bytes(b"old")

    with pytest.raises(TargetExistsError, match=r"out\.png already exists"):
        publish(target)

    assert (b"old", ["out.png"]) == (target.read_bytes(), left(tmp_path))


def test_force_replaces_a_file(tmp_path):
    """
    Only when it is asked for.
    """
    target = tmp_path / "out.png"
    target.write_bytes(b"old")

    publish(target, force=True)

    assert (b"new", ["out.png"]) == (target.read_bytes(), left(tmp_path))


@pytest.mark.parametrize("victim", ["file", "folder", "nothing"])
def test_a_link_is_not_followed(tmp_path, victim):
    """
    A link is a name that is taken, wherever it leads.
    """
    pointed = tmp_path / "victim"
    if victim == "file":
        pointed.write_bytes(b"old")
    elif victim == "folder":
        pointed.mkdir()
    target = tmp_path / "out.png"
    target.symlink_to(pointed)
    before = left(tmp_path)

    with pytest.raises(TargetExistsError):
        publish(target)

    assert before == left(tmp_path)
    assert target.is_symlink()
    assert victim != "file" or pointed.read_bytes() == b"old"


@pytest.mark.parametrize("exists", [True, False])
def test_force_replaces_a_link_and_not_its_victim(tmp_path, exists):
    """
    What it points to is neither written nor made.
    """
    pointed = tmp_path / "victim"
    if exists:
        pointed.write_bytes(b"old")
    target = tmp_path / "out.png"
    target.symlink_to(pointed)

    publish(target, force=True)

    assert (False, b"new") == (target.is_symlink(), target.read_bytes())
    assert exists == pointed.exists()
    assert not exists or pointed.read_bytes() == b"old"


def test_force_does_not_replace_a_folder(tmp_path):
    """
    It may hold anything.
    """
    target = tmp_path / "out.png"
    target.mkdir()

    with pytest.raises(StorageError, match="Cannot write"):
        publish(target, force=True)

    assert ["out.png"] == left(tmp_path)


@pytest.fixture(params=["device", "descriptor", "fifo", "socket"])
def special(request, tmp_path):
    """
    Something that is no file; as a descriptor, one of a regular file.
    """
    path = tmp_path / "special"
    if request.param == "device":
        yield Path("/dev/null")
    elif request.param == "descriptor":
        with path.open("w") as file:
            yield Path(f"/proc/self/fd/{file.fileno()}")
    elif request.param == "fifo":
        os.mkfifo(path)
        yield path
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            yield path


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("links", [1, 2])
def test_what_is_no_file_is_never_replaced(tmp_path, special, links, force):
    """
    Also at the end of links.  The way out is standard output, and never --force.
    """
    target = special
    for number in range(links):
        link = tmp_path / f"link-{number}"
        link.symlink_to(target)
        target = link
    before = left(tmp_path)

    with pytest.raises(StorageError) as caught:
        publish(target, force=force)

    with pytest.raises(StorageError):
        atomic_file.check_replaceable(special)
    assert caught.value.hint.endswith(": -o -")
    assert "--force" not in caught.value.hint
    assert before == left(tmp_path)


@pytest.mark.parametrize(("umask", "mode"), [("022", 0o644), ("077", 0o600)])
def test_the_mode_is_by_the_umask(tmp_path, umask, mode):
    """
    As for every other file that the user makes.
    """
    target = tmp_path / "out.png"

    assert (0, "") == ended(write(target, umask=umask))
    assert mode == stat.S_IMODE(target.stat().st_mode)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    """
    Half a file is no file.
    """
    code, said = ended(write(tmp_path / "out.png", "x" * 6, limit=5000))

    assert (1, True) == (code, "out.png: File too large." in said)
    assert [] == left(tmp_path)


def test_of_many_writers_exactly_one_wins(tmp_path):
    """
    And its file is whole; the others leave it alone, and no trace.
    """
    folder, start = tmp_path / "out", tmp_path / "start"
    folder.mkdir()
    target = folder / "out.png"
    processes = [write(target, chr(ord("a") + n), start=start) for n in range(8)]
    while len(left(folder)) < 8:
        time.sleep(0.001)
    start.touch()
    results = [ended(process) for process in processes]
    [winner] = [n for n, (code, _) in enumerate(results) if code == 0]

    assert chr(ord("a") + winner) * 1000 == target.read_text()
    assert ["out.png"] == left(folder)
    assert 7 == sum("already exists" in r[1] for r in results)


def no_links(*_):
    raise OSError(95, "Operation not supported")


def no_rename(*_):
    raise OSError(22, "Invalid argument")


# Most file systems have links, some only a rename that does not replace, few neither.
without_links = pytest.mark.parametrize("has_rename", [True, False])


@pytest.fixture
def plain_disk(monkeypatch):
    """
    Takes the better ways to publish away.
    """

    def take(*, has_rename):
        monkeypatch.setattr(os, "link", no_links)
        if not has_rename:
            monkeypatch.setattr(atomic_file, "rename_noreplace", no_rename)

    return take


@without_links
def test_without_hard_links_a_file_is_published_all_the_same(
    tmp_path, plain_disk, has_rename
):
    """
    Some file systems have none.
    """
    plain_disk(has_rename=has_rename)
    target = tmp_path / "out.png"

    publish(target)

    assert (b"new", ["out.png"]) == (target.read_bytes(), left(tmp_path))


@without_links
def test_without_hard_links_nothing_is_overwritten_either(
    tmp_path, plain_disk, has_rename
):
    """
    Neither a file nor a link that leads nowhere.
    """
    plain_disk(has_rename=has_rename)
    target, link = tmp_path / "out.png", tmp_path / "link.png"
    target.write_bytes(b"old")
    link.symlink_to(tmp_path / "victim")

    for taken in (target, link):
        with pytest.raises(TargetExistsError):
            publish(taken)

    assert (b"old", ["link.png", "out.png"]) == (target.read_bytes(), left(tmp_path))


def test_without_hard_links_a_name_is_never_that_of_an_empty_file(
    tmp_path, plain_disk, monkeypatch
):
    """
    Not for a moment, as a run can be killed in any: nothing is made under
    the name before the file gets it.
    """
    plain_disk(has_rename=True)
    with AtomicFile(tmp_path) as new:
        new.file.write(b"new")
        monkeypatch.setattr(os, "open", None)
        new.publish(tmp_path / "out.png")

    assert b"new" == (tmp_path / "out.png").read_bytes()


@pytest.mark.posix
def test_a_system_without_such_a_rename_says_so(tmp_path, monkeypatch):
    """
    And then there is another way.
    """
    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    target = tmp_path / "out.png"

    with pytest.raises(NotImplementedError):
        rename_noreplace(tmp_path / "a", target)
    publish(target)

    assert b"new" == target.read_bytes()


@pytest.mark.parametrize("name", ["new.png", "ü ü.png"])
def test_a_rename_that_replaces_nothing(tmp_path, name):
    """
    It gives a file a new name, and never that of another.
    """
    path, target = tmp_path / "old.png", tmp_path / name
    path.write_bytes(b"content")

    rename_noreplace(path, target)
    assert [name] == left(tmp_path)
    path.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        rename_noreplace(path, target)

    assert (b"content", b"other") == (target.read_bytes(), path.read_bytes())
    with pytest.raises(FileNotFoundError):
        rename_noreplace(tmp_path / "none", tmp_path / "b")


def test_a_name_that_was_taken_in_vain_is_given_back(tmp_path, plain_disk):
    """
    No empty file stays where the real one could not go.
    """
    plain_disk(has_rename=False)

    with AtomicFile(tmp_path) as new:
        new.path.unlink()
        with pytest.raises(StorageError):
            new.publish(tmp_path / "out.png")

    assert [] == left(tmp_path)


@pytest.mark.parametrize("is_link", [True, False])
def test_a_temporary_file_is_never_one_that_is_there(tmp_path, monkeypatch, is_link):
    """
    Not even one that a stranger put there to be written to.
    """
    monkeypatch.setattr(atomic_file.secrets, "token_hex", lambda _: "guessed")
    name = f".krea-{atomic_file._system_id()}guessed.part"
    planted = tmp_path / name
    if is_link:
        planted.symlink_to(tmp_path / "victim")
    else:
        planted.write_bytes(b"a stranger's")

    with pytest.raises(StorageError):
        AtomicFile(tmp_path)

    assert [name] == left(tmp_path)


def test_a_good_folder_is_left_as_it_was(tmp_path):
    """
    To look costs nothing and leaves nothing.
    """
    check_folder(tmp_path)

    assert [] == left(tmp_path)


def test_a_missing_folder_is_told_with_the_way_out(tmp_path):
    """
    A slash at the end lets krea make it.
    """
    with pytest.raises(StorageError, match="does not exist") as caught:
        check_folder(tmp_path / "new")

    assert f"-o {tmp_path / 'new'}/" in caught.value.hint


def test_a_folder_that_is_none_or_cannot_be_written_to_is_refused(tmp_path):
    """
    A file, a name that is too long, and a file system that takes no files.
    """
    file = tmp_path / "file"
    file.write_bytes(b"")
    for folder in (file, tmp_path / ("x" * 300), Path("/proc/self")):
        with pytest.raises(StorageError) as caught:
            check_folder(folder)

        assert str(folder) in caught.value.message


def test_what_killed_runs_left_is_swept_after_a_day(tmp_path):
    """
    Its own leftovers alone, and not those of a run that may still go on.
    """
    old, new, held, folder = (f".krea-{digit * 12}.part" for digit in "0123")
    others = {".krea-notes.part", ".other.part", "krea-000000000000.part"}
    for name in (old, new, held, *others):
        (tmp_path / name).touch()
        if name != new:
            os.utime(tmp_path / name, (0, 0))
    (tmp_path / folder).mkdir()
    os.utime(tmp_path / folder, (0, 0))

    with (tmp_path / held).open() as file:
        atomic_file.try_lock(file.fileno())
        check_folder(tmp_path)

    assert {new, held, folder, *others} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.skipif(not atomic_file._system_id(), reason="no mark of the system here")
@pytest.mark.parametrize(
    ("age", "is_foreign", "is_held", "stays"),
    [
        (120, False, False, False),
        (10, False, False, True),
        (120, False, True, True),
        (120, True, False, True),
    ],
)
def test_stale_file_of_a_dead_process_of_this_system_is_removed_at_once(
    tmp_path, age, is_foreign, is_held, stays
):
    with AtomicFile(tmp_path) as left:
        name = left.path.name
        data = left.path
        if is_foreign:
            name = name.replace(atomic_file._system_id(), "0" * 6)
            data = left.path.rename(tmp_path / name)
        if not is_held:
            left.file.close()
        moment = time.time() - age
        os.utime(data, (moment, moment))

        check_folder(tmp_path)

        assert stays == (tmp_path / name).exists()


def test_a_download_that_takes_days_is_not_swept(tmp_path):
    """
    Its file is locked as long as it is being written.
    """
    with AtomicFile(tmp_path) as slow:
        os.utime(slow.path, (0, 0))
        check_folder(tmp_path)

        assert slow.path.exists()


def test_what_a_file_holds_is_told_by_its_bytes(tmp_path):
    """
    A link, a folder, and what is not there hold nothing.
    """
    sha256 = hashlib.sha256(b"content").hexdigest()
    file, other, link = (tmp_path / name for name in ("regular", "other", "link"))
    file.write_bytes(b"content")
    other.write_bytes(b"changed")
    link.symlink_to("regular")  # a text of seven bytes, as the content is

    assert has_content(file, size=7, sha256=sha256)
    for path in (other, link, tmp_path, tmp_path / "none", tmp_path / ("x" * 300)):
        assert not has_content(path, size=7, sha256=sha256)
    assert not has_content(file, size=6, sha256=sha256)


def test_what_is_not_kept_is_gone(tmp_path):
    """
    A part stays, and what comes next is behind it, wherever somebody has read since.
    """
    target = tmp_path / "out.png"
    with AtomicFile(tmp_path) as new:
        new.write(b"abcdef")
        new.file.seek(1)
        new.truncate(3)
        new.write(b"xy")
        new.publish(target)

    assert b"abcxy" == target.read_bytes()


@pytest.mark.posix
@pytest.mark.parametrize("knows_it", [True, False])
def test_on_macos_the_bytes_are_on_the_disk(tmp_path, monkeypatch, knows_it):
    """
    Where `fsync` alone leaves them in the memory of the drive; a network drive may know
    nothing else.
    """
    asked = []

    def control(descriptor, operation):
        asked.append(operation)
        if not knows_it:
            raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(atomic_file, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr("fcntl.F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr("fcntl.fcntl", control)
    monkeypatch.setattr(os, "fsync", lambda _: asked.append("fsync"))

    with AtomicFile(tmp_path) as new:
        new.write(b"owl")
        new.publish(tmp_path / "owl.png")

    assert asked == ([51] if knows_it else [51, "fsync"])
    assert b"owl" == (tmp_path / "owl.png").read_bytes()


def test_replace_file_writes_for_this_user_alone_and_leaves_no_part(tmp_path):
    target = tmp_path / "a.json"
    target.write_bytes(b"old")
    target.chmod(0o644)

    replace_file(target, b"new")

    assert b"new" == target.read_bytes()
    assert 0o600 == target.stat().st_mode & 0o777
    assert [target] == list(tmp_path.iterdir())


def test_replace_file_behind_a_link_keeps_the_link(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")

    replace_file(tmp_path / "link", b"new")

    assert (tmp_path / "link").is_symlink()
    assert b"new" == (tmp_path / "real").read_bytes()


def test_replace_file_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "a.json"
    target.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", raise_full)

    with pytest.raises(OSError, match="full"):
        replace_file(target, b"new")

    assert b"old" == target.read_bytes()
    assert [target] == list(tmp_path.iterdir())


def raise_full(_descriptor):
    raise OSError(errno.ENOSPC, "full")


def test_make_private_dir_makes_parents_with_mode_0700(tmp_path):
    tmp_path.chmod(0o755)
    made = make_private_dir(tmp_path / "a" / "b")

    modes = [path.stat().st_mode & 0o777 for path in (tmp_path, made.parent, made)]
    assert [0o755, 0o700, 0o700] == modes
