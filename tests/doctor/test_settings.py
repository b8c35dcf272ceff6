from __future__ import annotations

import socket
import sys

import pytest

SECRET = "s3cret"


def nowhere(*_, **__):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("proxy:3128", "proxy:3128"),
        (f"http://me:{SECRET}@proxy:3128", "http://***@proxy:3128"),
        (f"me:{SECRET}@proxy:3128", "***@proxy:3128"),
        (f"https://{SECRET}@proxy/", "https://***@proxy"),
        (f"http://me:{SECRET}/@{SECRET}@proxy", "http://***@proxy"),
        (f"me:{SECRET}://@proxy", "***@proxy"),
        (f"http://proxy:3128/?password={SECRET}", "http://proxy:3128"),
        (f"socks5://me:{SECRET}@proxy", "socks5://***@proxy"),
    ],
)
def test_a_proxy_is_told_without_what_opens_it(krea, value, shown):
    """
    Host and port are enough to know it by.
    """
    env = {"https_proxy": value, "HTTPS_PROXY": "http://unused", "KREA_SANDBOX": "1"}

    result = krea("doctor", env=env)

    [line] = [line for line in result.out.splitlines() if line.startswith("proxy\t")]
    assert f"https_proxy={shown} " in line
    assert ("warning" in line) == value.startswith(("socks5", "me:s3cret://"))
    assert SECRET not in result.out + result.err


@pytest.mark.parametrize(
    ("variable", "value", "state", "said"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:9", "ok", "HTTPS_PROXY overrides it"),
        ("HTTP_PROXY", "garbage://x", "ok", "requests use https"),
        ("HTTPS_PROXY", "socks://127.0.0.1:9", "warning", "not a supported proxy"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9", "warning", "needs the package socksio"),
    ],
)
def test_only_a_proxy_that_applies_is_warned_of(
    krea, monkeypatch, variable, value, state, said
):
    """
    What no request goes through cannot stop one.
    """
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    env = {"HTTPS_PROXY": "http://127.0.0.1:9", variable: value}

    result = krea("doctor", "--api-url", "https://krea.invalid", env=env)

    lines = [line.split("\t") for line in result.out.splitlines()]
    [line] = [line for line in lines if line[2].startswith(variable)]
    assert ["proxy", state] == line[:2]
    assert said in line[2]


def test_settings_are_told_with_their_source(krea):
    """
    As `krea config list` does.
    """
    result = krea("doctor", "--sandbox", env={"KREA_TIMEOUT": "90"})

    assert "settings\tok\ttimeout: 90.0 (KREA_TIMEOUT)\t" in result.out.splitlines()
    assert "settings\tok\tsandbox: true (option)\t" in result.out.splitlines()
