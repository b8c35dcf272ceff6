from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from krea_cli.config.paths import find_folders, make_private_folder
from krea_cli.errors import ConfigError, StorageError


def test_variables_move_the_folders(tmp_path):
    """
    Each folder has a variable of its own.
    """
    found = find_folders(
        {
            "KREA_CONFIG_DIR": str(tmp_path / "a"),
            "KREA_STATE_DIR": str(tmp_path / "b"),
            "KREA_CACHE_DIR": str(tmp_path / "c"),
        }
    )

    assert (tmp_path / "a", tmp_path / "b", tmp_path / "c") == (
        found.config,
        found.state,
        found.cache,
    )
    assert tmp_path / "a" / "config.toml" == found.config_file
    assert [] == list(tmp_path.iterdir())


def test_empty_variable_counts_as_unset():
    """
    KREA_STATE_DIR= leaves the folder of the platform.
    """
    assert find_folders({}) == find_folders(
        {"KREA_STATE_DIR": "", "KREA_CACHE_DIR": ""}
    )
    assert find_folders({}).state.is_absolute()
    assert "krea-cli" in find_folders({}).state.parts


def test_relative_folder_is_refused():
    """
    Where the jobs are kept must not depend on where krea is started.
    """
    with pytest.raises(ConfigError, match=r"KREA_STATE_DIR must .*absolute"):
        find_folders({"KREA_STATE_DIR": "state"})


def test_all_relative_folders_are_told_at_once():
    """
    Nobody has to run it again for the next one.
    """
    given = {"KREA_STATE_DIR": "a", "KREA_CACHE_DIR": "b", "KREA_CONFIG_DIR": "/c"}

    with pytest.raises(ConfigError) as caught:
        find_folders(given)

    told = "KREA_STATE_DIR and KREA_CACHE_DIR must be an absolute path, not 'a' and 'b'"
    assert f"{told}." == caught.value.message


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs no HOME")
def test_no_home_is_one_clear_error():
    """
    A user without HOME and without an entry in the user database gets no traceback, and
    the names of all variables that are missing.
    """
    code = """
import os, pwd, sys
def nobody(uid): raise KeyError(uid)
pwd.getpwuid = nobody
from krea_cli.config.paths import find_folders
from krea_cli.errors import ConfigError
found = find_folders(os.environ)
print(found.has_config, found.has_state, found.has_cache)
try:
    found.state
except ConfigError as exc:
    print(exc.message, exc.hint)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"KREA_CACHE_DIR": "/cache"},
        capture_output=True,
        text=True,
        check=True,
    )

    there, told = ran.stdout.splitlines()
    assert "False False True" == there
    assert "home folder" in told
    assert "HOME, or KREA_CONFIG_DIR and KREA_STATE_DIR" in told


def test_private_folder_is_for_this_user_only(tmp_path):
    """
    It is made with its parents, mode 0700 whatever the umask.
    """
    before = os.umask(0)
    try:
        made = make_private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)

    assert tmp_path / "a" / "b" == made
    assert 0o700 == stat.S_IMODE(made.stat().st_mode)
    assert 0o700 == stat.S_IMODE(made.parent.stat().st_mode)
    assert made == make_private_folder(made)


def test_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    """
    A file in its place is told with the path and the reason.
    """
    (tmp_path / "a").touch()

    with pytest.raises(StorageError, match=f"create folder {tmp_path / 'a'}"):
        make_private_folder(tmp_path / "a")
    with pytest.raises(StorageError, match="Cannot create"):
        make_private_folder(Path(tmp_path / "a" / "b"))
