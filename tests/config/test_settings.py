from __future__ import annotations

from pathlib import Path

import pytest

from krea_cli.config.settings import (
    KEYS,
    GivenValue,
    Settings,
    check_key,
    from_env,
    from_flags,
    parse_duration,
    resolve,
    resolve_setting,
)
from krea_cli.errors import ConfigError, UsageError


def test_first_layer_wins_and_is_named():
    """
    Flag beats environment beats file beats default; each value says where it is from.
    """
    settings, sources = resolve(
        [
            from_flags(api_url="https://flag.test/", model=None),
            from_env({"KREA_API_URL": "https://env.test", "KREA_MODEL": "a/env"}),
            {
                "model": GivenValue("a/file", "f.toml"),
                "timeout": GivenValue(60, "f.toml"),
            },
        ]
    )

    assert (
        Settings(api_url="https://flag.test", model="a/env", timeout=60.0) == settings
    )
    assert {
        "api_url": "option",
        "model": "KREA_MODEL",
        "output": "default",
        "timeout": "f.toml",
        "max_cost": "default",
        "sandbox": "default",
        "color": "default",
        "token_command": "default",
    } == sources


def test_nothing_given_is_the_defaults():
    """
    Without any layer the settings are those of the class.
    """
    assert Settings() == resolve([]).settings


@pytest.mark.parametrize("key", KEYS)
def test_empty_variable_counts_as_unset(key):
    """
    KREA_X= does not override, and is no error.
    """
    assert "default" == resolve([from_env({f"KREA_{key.upper()}": ""})]).sources[key]


def test_variables_of_others_are_left_alone():
    """
    Only the variables of settings are read: the folders and the token have their own.
    """
    env = {"KREA_API_KEY": "x", "KREA_CONFIG_DIR": "/x", "KREA_TIMOUT": "x"}

    assert {} == from_env(env)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        (" 10m ", 600),
        ("1h", 3600),
        ("1.5h", 5400),
        ("0.5", 0.5),
        ("7d", 604_800),
    ],
)
def test_duration_forms(text, seconds):
    """
    Seconds, minutes, hours and days, with a fraction.
    """
    assert seconds == parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "0.0h", "-1", "soon", "h", "10 m", "1w", "1H", "1h30m", "1.", ".5"),
        *("nan", "inf", "1e3", "9" * 400, "٣"),
    ],
)
def test_no_duration_is_refused_with_what_is_allowed(text):
    """
    A text that is no time above 0 is refused, and the message shows what is.
    """
    with pytest.raises(ValueError, match="90, 90s, 10m, 1h, 7d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((text, True) for text in ["1", "true", "yes", "on", "TRUE", " On ", 1, True]),
        *((text, False) for text in ["0", "false", "no", "off", "No", 0, False]),
    ],
)
def test_boolean_forms(given, expected):
    """
    The usual words, numbers and TOML's own booleans.
    """
    assert (
        expected
        is resolve_setting("sandbox", [{"sandbox": GivenValue(given, "x")}]).value
    )


@pytest.mark.parametrize(
    ("key", "given", "allowed"),
    [
        ("api_url", "http://api.krea.ai", "https://"),
        ("api_url", 5, "empty"),
        ("model", "  ", "not be empty"),
        ("model", ["a"], "empty"),
        ("output", "", "not be empty"),
        ("output", False, "empty"),
        ("timeout", "soon", "10m"),
        ("timeout", True, "10m"),
        ("timeout", 0, "10m"),
        ("timeout", float("nan"), "10m"),
        ("timeout", 10**400, "10m"),
        ("max_cost", "much", "0.50"),
        ("max_cost", True, "0.50"),
        ("max_cost", -1, "0.50"),
        ("max_cost", float("nan"), "0.50"),
        ("sandbox", "maybe", "1, true, yes, on, 0, false, no, off"),
        ("sandbox", 2, "1, true, yes, on, 0, false, no, off"),
        ("color", "blue", "auto, always, never"),
        ("color", True, "auto, always, never"),
        ("color", [], "auto, always, never"),
    ],
)
def test_bad_value_names_setting_source_and_what_is_allowed(key, given, allowed):
    """
    A value that cannot be used is a ConfigError that can be acted on.
    """
    with pytest.raises(ConfigError) as caught:
        resolve([{key: GivenValue(given, "the/source")}])

    assert caught.value.message.startswith(f"Invalid {key} (from the/source): ")
    assert allowed in caught.value.message


def test_bad_value_below_a_good_one_does_not_matter():
    """
    Only the value in force must be right, so that a flag can mend a variable.
    """
    layers = [from_flags(timeout=5.0), from_env({"KREA_TIMEOUT": "soon"})]

    assert 5.0 == resolve(layers).settings.timeout


def test_password_in_the_url_is_not_repeated():
    """
    The error about a user name in the API URL does not show the password beside it.
    """
    with pytest.raises(ConfigError) as caught:
        resolve([from_env({"KREA_API_URL": "https://me:hunter22@api.krea.ai"})])

    assert "hunter22" not in str(caught.value)


def test_unknown_key_names_the_nearest():
    """
    A mistyped name is a UsageError with the right one, any other with all of them.
    """
    with pytest.raises(UsageError, match="'api-url'") as near:
        check_key("api-url")
    with pytest.raises(UsageError) as far:
        check_key("xyzzy")

    assert "api_url" in near.value.hint
    assert all(key in far.value.hint for key in KEYS)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("Pics", "Pics/"),
        ("~/Pics", "~/Pics/"),
        ("a.b/Pics", "a.b/Pics/"),
        ("~", "~"),
        (".", "."),
        ("../..", "../.."),
        ("-", "-"),
        ("Pics/", "Pics/"),
        ("{slug}", "{slug}"),
        ("owl.png", "owl.png"),
    ],
)
def test_an_output_without_extension_is_a_folder(given, read):
    """
    A setting is for many results.
    """
    assert read == resolve([from_env({"KREA_OUTPUT": given})]).settings.output


def test_a_boolean_is_named_as_toml_writes_it(krea):
    file = Path(krea.env["KREA_CONFIG_DIR"], "config.toml")
    file.parent.mkdir()
    file.write_text("max_cost = true\n")

    err = krea("config", "list").err
    assert "max_cost" in err
    assert "'true'" in err
