from __future__ import annotations

from pathlib import Path

import pytest
from config.contexts import FakeContext
from config.processes import Krea

from krea_cli.commands.config import get, list_settings, path, set_value, unset
from krea_cli.config.settings import KEYS
from krea_cli.errors import ConfigError, UsageError


@pytest.fixture
def context(tmp_path):
    return lambda **env: FakeContext.at(tmp_path, env=env)


def told(context):
    return [result.as_json() for result in context.console.results]


def test_list_shows_every_setting_with_its_source(context):
    """
    In the order of the documents, defaults too.
    """
    run = context(KREA_TIMEOUT="10m")

    list_settings(run)

    assert list(KEYS) == [row["key"] for row in told(run)]
    assert {"key": "timeout", "value": 600.0, "source": "KREA_TIMEOUT"} in told(run)
    assert {"key": "output", "value": None, "source": "default"} in told(run)


@pytest.mark.parametrize(
    ("key", "plain"),
    [("model", ["google/nano-banana-pro"]), ("output", []), ("sandbox", ["false"])],
)
def test_get_is_the_value_alone(context, key, plain):
    """
    A script takes it as it is; a setting without a value is nothing.
    """
    run = context()

    get(run, key)

    assert plain == run.console.results[0].plain
    assert [key] == [row["key"] for row in told(run)]


def test_set_is_in_force_afterwards(context):
    """
    The file has it, and the next command reads it.
    """
    run = context()
    file = str(run.folders.config_file)

    set_value(run, "timeout", "10m")

    assert [{"key": "timeout", "value": 600.0, "source": file}] == told(run)
    assert [f"timeout\t10m\t{file}"] == run.console.results[0].plain
    assert (600.0, file) == (
        run.settings.timeout,
        run.resolved_settings.sources["timeout"],
    )
    assert [] == run.console.warnings


def test_set_tells_the_variable_that_wins(context):
    """
    A value that will not be used is told at once.
    """
    run = context(KREA_OUTPUT="env/")

    set_value(run, "output", "file/")

    assert [{"key": "output", "value": "env/", "source": "KREA_OUTPUT"}] == told(run)
    assert ["KREA_OUTPUT is set and overrides this setting."] == run.console.warnings


@pytest.mark.parametrize(
    ("model", "rest", "warns"),
    [
        (
            "nano-bananna",
            "",
            "The setting is saved, but 'nano-bananna' is not a known model. Did you",
        ),
        ("nano-banana-pro", "", ""),
        ("nano-bananna", "timeout = 'soon'\n", ""),
    ],
    ids=["unknown", "known", "other mistake"],
)
def test_set_warns_of_a_model_that_is_unknown(krea, model, rest, warns):
    """
    It is kept all the same, as it may be newer than the catalog; also beside a
    mistake, which the commands tell that need what is mistaken.
    """
    file = Path(krea.env["KREA_CONFIG_DIR"], "config.toml")
    file.parent.mkdir()
    file.write_text(rest)

    result = krea("config", "set", "model", model)

    assert (0, f'{rest}model = "{model}"\n') == (result.code, file.read_text())
    assert (f"warning: {warns}" if warns else "") == result.err[: 9 + len(warns)]


def test_unset_falls_back(context):
    """
    The default is in force again; unsetting once more is no error.
    """
    run = context()
    set_value(run, "color", "never")
    run.console.results.clear()

    unset(run, "color")
    unset(run, "color")

    assert [{"key": "color", "value": "auto", "source": "default"}] * 2 == told(run)
    assert [f"color was not set in {run.folders.config_file}."] == run.console.notes


def test_bad_file_can_be_mended(context):
    """
    set, unset and path work while the file has a mistake that stops the others.
    """
    run = context()
    run.folders.config.mkdir()
    run.folders.config_file.write_text('timout = 5\ntimeout = "soon"\n')

    with pytest.raises(ConfigError, match="timout"):
        list_settings(run)
    path(run)
    unset(run, "timout")
    set_value(run, "timeout", "5s")
    list_settings(run)

    assert 5.0 == run.settings.timeout


@pytest.mark.long
def test_bad_file_is_mended_as_its_error_says(tmp_path):
    """
    The hint of the error is a command that works.
    """
    krea = Krea(tmp_path / "home")
    file = tmp_path / "home" / "config" / "config.toml"
    file.parent.mkdir()
    file.write_text('timout = 5\nmodel = "a/b"\n')

    before = krea.run("config", "list")
    mended = krea.run("config", "unset", "timout")
    after = krea.run("config", "list")

    assert 2 == before.code
    assert "Remove the setting: krea config unset timout" in before.stderr
    assert (0, 0) == (mended.code, after.code), mended.said
    assert 'model = "a/b"\n' == file.read_text()


def test_nothing_is_read_from_the_current_folder(tmp_path):
    """
    Files in a cloned repository do not choose where the token goes.
    """
    for name in (".env", "config.toml", "krea.toml", ".krea.toml", ".netrc"):
        (tmp_path / name).write_text(
            'KREA_API_URL=https://evil.test\napi_url = "https://evil.test"\n'
        )

    ran = Krea(tmp_path / "home", cwd=tmp_path).run("config", "get", "api_url")

    assert "https://api.krea.ai\n" == ran.stdout, ran.said


@pytest.mark.parametrize(
    "command",
    [get, unset, lambda context, key: set_value(context, key, "x")],
    ids=["get", "unset", "set"],
)
def test_unknown_key_names_the_nearest(context, command):
    """
    A mistyped setting is exit 2 with the right name.
    """
    with pytest.raises(UsageError) as caught:
        command(context(), "modle")

    assert "Did you mean model?" == caught.value.hint


def test_path_is_told_before_the_file_exists(context):
    """
    Where it is, or would be; nothing is made.
    """
    run = context()
    file = run.folders.config_file

    path(run)

    assert [{"path": str(file), "exists": False}] == told(run)
    assert [str(file)] == run.console.results[0].plain
    assert not file.parent.exists()
