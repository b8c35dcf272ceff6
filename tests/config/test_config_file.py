from __future__ import annotations

import os
import stat
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krea_cli.config import config_edit, config_file
from krea_cli.errors import Action, ConfigError, Step, StorageError, UsageError

WRITTEN = """\
# mine
model = "a/b"   # the "good" one = best
  'timeout' = 90

color="never" # end"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config" / "config.toml"


@pytest.fixture
def written(path):
    path.parent.mkdir()
    path.write_text(WRITTEN)
    return path


def test_missing_file_is_an_empty_layer(path):
    """
    Nobody needs a file; reading makes none.
    """
    assert {} == config_file.read(path)
    assert not path.parent.exists()


def test_values_carry_the_path(written):
    """
    Each value of the file says that it came from there.
    """
    layer = config_file.read(written)

    assert {"model": "a/b", "timeout": 90, "color": "never"} == {
        key: given.value for key, given in layer.items()
    }
    assert {str(written)} == {given.source for given in layer.values()}


def test_byte_order_mark_is_no_error(path):
    """
    What an editor on Windows puts before the text does not make it unreadable.
    """
    path.parent.mkdir()
    path.write_bytes(b'\xef\xbb\xbfmodel = "a/b"\r\n')

    assert "a/b" == config_file.read(path)["model"].value


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'model = "a/b"\ntimeout 5\n', "line 2"),
        (b"model = [", "not valid TOML"),
        (b"timeout = " + b"9" * 5000, "not valid TOML"),
        (b"a = " + b"[" * 100_000, "not valid TOML"),
        (b'model = "\xff"', "not UTF-8"),
        (b'timout = "5m"\n', "Unknown setting 'timout'"),
        (b"[model]\nname = 1\n[krea]\n", "Unknown setting 'krea'"),
    ],
)
def test_broken_file_is_an_error_that_names_it(path, content, said):
    """
    A file that cannot be meant as it stands is never silently ignored.
    """
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        config_file.read(path)

    assert str(path) in caught.value.message
    assert said in caught.value.message
    # A key can be removed by a command; a file that cannot be read only by hand.
    unknown = said.removeprefix("Unknown setting ").strip("'")
    can_unset = unknown != said
    steps = [each for each in caught.value.advice if isinstance(each, Step)]
    assert ([Step(Action.UNSET, (unknown,))] if can_unset else []) == steps
    assert can_unset == ("Fix it in an editor." not in caught.value.advice)


@pytest.mark.parametrize(
    "content",
    ["[extra] # table\na = 1\n", "extra = [1]\n", "[[extra]]\nb = 1\n[[extra]]\n"],
)
def test_unset_key_takes_out_tables_and_lists(path, content):
    """
    So the hint for a key that is not a setting names `config unset`.
    """
    path.parent.mkdir()
    path.write_text(f'# mine\nmodel = "a/b"\n{content}')

    with pytest.raises(ConfigError, match="Unknown setting 'extra'") as caught:
        config_file.read(path)
    assert Step(Action.UNSET, ("extra",)) in caught.value.advice
    config_edit.unset_key(path, "extra")

    assert '# mine\nmodel = "a/b"\n' == path.read_text()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_a_pipe_is_not_waited_for(path):
    """
    Nobody may ever write to it.
    """
    path.parent.mkdir()
    os.mkfifo(path)

    with pytest.raises(ConfigError, match="not a regular file"):
        config_file.read(path)


def test_unreadable_file_is_an_error(path):
    """
    A folder in place of the file, as any file that cannot be read, is a ConfigError.
    """
    path.mkdir(parents=True)

    with pytest.raises(ConfigError, match="Cannot read"):
        config_file.read(path)


def test_set_makes_file_and_folder_for_this_user_only(path):
    """
    The first setting makes config.toml with mode 0600 in a folder with 0700 (C18).
    """
    before = os.umask(0)
    try:
        config_edit.set_key(path, "timeout", " 10m ")
    finally:
        os.umask(before)

    assert 'timeout = "10m"\n' == path.read_text()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)


def test_set_changes_one_line_and_keeps_comments(written):
    """
    The other lines, and the comment beside the value, stay to the byte.
    """
    config_edit.set_key(written, "model", "c/d")

    assert WRITTEN.replace('"a/b"', '"c/d"') == written.read_text()


def test_set_adds_a_line_at_the_end(written):
    """
    A setting that the file lacks comes last, on a line of its own.
    """
    config_edit.set_key(written, "sandbox", "yes")

    assert f"{WRITTEN}\nsandbox = true\n" == written.read_text()


def test_unset_keeps_the_comment_beside_the_value(written):
    """
    The key goes, the user's words stay.
    """
    assert config_edit.unset_key(written, "model")
    assert config_edit.unset_key(written, "timeout")
    assert config_edit.unset_key(written, "color")

    assert '# mine\n# the "good" one = best\n\n# end' == written.read_text()


def test_unset_of_what_is_not_there_changes_nothing(path):
    """
    It says so, and makes no file.
    """
    assert not config_edit.unset_key(path, "model")

    assert not path.parent.exists()


def test_windows_line_ends_stay(path):
    """
    A file with CRLF keeps it on the lines that were there.
    """
    path.parent.mkdir()
    path.write_bytes(b'model = "a/b" # x\r\ncolor = "auto"\r\n')

    config_edit.set_key(path, "model", "c/d")
    config_edit.unset_key(path, "color")

    assert b'model = "c/d" # x\r\n' == path.read_bytes()


@pytest.mark.parametrize(
    ("content", "after"),
    [
        ('model = """\na/b"""  # long\n', 'model = "c/d"  # long\n'),
        (
            'output = """\nmodel = "x"\n"""\n',
            'output = """\nmodel = "x"\n"""\nmodel = "c/d"\n',
        ),
        ("[other]\nx = 1\n", 'model = "c/d"\n\n[other]\nx = 1\n'),
    ],
)
def test_set_key_beside_other_kinds_of_values_keeps_them(path, content, after):
    path.parent.mkdir()
    path.write_text(content)

    config_edit.set_key(path, "model", "c/d")

    assert after == path.read_text()


def test_set_key_that_would_change_other_values_leaves_the_file(written, monkeypatch):
    """
    Whatever the TOML library writes, the file is replaced only by what was meant.
    """
    monkeypatch.setattr("tomlkit.TOMLDocument.as_string", lambda _: 'model = "c/d"')

    with pytest.raises(ConfigError, match="Cannot change"):
        config_edit.set_key(written, "model", "c/d")

    assert WRITTEN == written.read_text()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timeout", "soon"),
        ("api_url", "http://x.test"),
        ("model", ""),
        ("output", "\udcff.png"),
        ("nope", "1"),
    ],
)
def test_value_is_checked_before_anything_is_written(written, key, value):
    """
    What the next command would refuse does not get into the file.
    """
    with pytest.raises(UsageError):
        config_edit.set_key(written, key, value)

    assert WRITTEN == written.read_text()


def test_broken_file_is_not_touched(path):
    """
    In a file that is no TOML nothing can be changed safely.
    """
    path.parent.mkdir()
    path.write_text("model = ")

    with pytest.raises(ConfigError, match="not valid TOML"):
        config_edit.set_key(path, "model", "c/d")
    with pytest.raises(ConfigError, match="not valid TOML"):
        config_edit.unset_key(path, "model")

    assert "model = " == path.read_text()


def test_mistake_in_the_file_can_be_taken_out(path):
    """
    `config unset` mends a file whose key is no setting; one that is nowhere is unknown.
    """
    path.parent.mkdir()
    path.write_text('timout = "5m"\n')

    assert config_edit.unset_key(path, "timout")
    with pytest.raises(UsageError, match="Unknown setting 'timout'"):
        config_edit.unset_key(path, "timout")

    assert "" == path.read_text()


def test_link_stays_a_link(written, tmp_path):
    """
    A file kept elsewhere is changed there, and the link to it is not replaced.
    """
    kept = tmp_path / "kept.toml"
    written.rename(kept)
    written.symlink_to(kept)

    config_edit.set_key(written, "model", "c/d")

    assert written.is_symlink()
    assert "c/d" == tomllib.loads(kept.read_text())["model"]


def test_failure_leaves_no_part_behind(written, monkeypatch):
    """
    When the disk refuses, the old file stands and nothing lies beside it.
    """

    def refuse(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)

    with pytest.raises(StorageError, match="No space left"):
        config_edit.set_key(written, "model", "c/d")

    assert [written] == list(written.parent.iterdir())
    assert WRITTEN == written.read_text()


@given(
    value=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
        str.strip
    )
)
def test_any_text_comes_back_as_it_was(tmp_path_factory, value):
    """
    Quotes, line breaks, control and foreign characters survive the file.
    """
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text(WRITTEN)

    config_edit.set_key(path, "output", value)
    config_edit.set_key(path, "output", value)

    assert value == config_file.read(path)["output"].value
    assert path.read_text("utf-8").startswith(WRITTEN)
