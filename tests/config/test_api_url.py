from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krea_cli.config.api_url import is_loopback, normalize, origin


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.krea.ai", "https://api.krea.ai"),
        ("  https://api.krea.ai/\n", "https://api.krea.ai"),
        ("HTTPS://API.Krea.AI:443//", "https://api.krea.ai"),
        ("https://proxy.test/Krea/", "https://proxy.test/Krea"),
        ("https://proxy.test:08443", "https://proxy.test:8443"),
        ("http://localhost:80", "http://localhost"),
        ("http://LocalHost:8787/", "http://localhost:8787"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.200.3.4", "http://127.200.3.4"),
        ("http://[::1]:8787", "http://[::1]:8787"),
        ("https://[0:0:0:0:0:0:0:1]", "https://[::1]"),
    ],
)
def test_normalize_gives_one_form(url, expected):
    """
    Spellings of the same base URL become one.
    """
    assert expected == normalize(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "https://"),
        ("api.krea.ai", "https://"),
        ("ftp://api.krea.ai", "https://"),
        ("https://", "host"),
        ("https:///jobs", "host"),
        ("https:api.krea.ai", "host"),
        ("https://.krea.ai", "host"),
        ("https://krea..ai", "host"),
        (f"https://{'a' * 254}", "host"),
        ("https://api.krea.ai:99999", "port"),
        ("https://api.krea.ai:secret", "port"),
        ("https://[::1", "Invalid IPv6"),
        ("https://[::g]", "IP"),
        ("https://user:secret@api.krea.ai", "user name"),
        ("https://@api.krea.ai", "user name"),
        ("https://api.krea.ai?", "not contain ?"),
        ("https://api.krea.ai/#", "not contain ? or #"),
        ("https://api.krea.ai/a b", "ASCII"),
        ("https://api.kr\tea.ai", "ASCII"),
        ("https://api.kr\nea.ai", "ASCII"),
        ("https://api.krea.ai\\@evil.test", "ASCII"),
        ("https://api.kreа.ai", "ASCII"),  # noqa: RUF001  (a Cyrillic letter)
        ("http://api.krea.ai", "only for localhost"),
        ("http://localhost.evil.test", "only for localhost"),
        ("http://127.0.0.1.evil.test", "only for localhost"),
        ("http://127.1", "only for localhost"),
        ("http://0.0.0.0", "only for localhost"),
        ("http://[::ffff:127.0.0.1]", "only for localhost"),
    ],
)
def test_unusable_url_is_refused_without_repeating_it(url, said):
    """
    What is no https base URL is refused; the message does not hold a
    password.
    """
    with pytest.raises(ValueError, match=said.replace("?", r"\?")) as caught:
        normalize(url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.krea.ai/",
        "https://api.krea.ai:443/base",
        "HTTPS://API.KREA.AI",
    ],
)
def test_same_server_is_the_same_origin(url):
    """
    Case, default port and path do not make another origin.
    """
    assert "https://api.krea.ai" == origin(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.krea.ai.evil.test",
        "https://api.krea.ai-evil.test",
        "https://evil.test/api.krea.ai",
        "https://api.krea.ai:444",
        "https://api.krea.ai:0",
        "https://krea.ai",
    ],
)
def test_lookalike_is_another_origin(url):
    """
    A URL that only resembles another one does not share its origin.
    """
    assert "https://api.krea.ai" != origin(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8787", True),
        ("https://localhost/base", True),
        ("http://[::1]", True),
        ("https://127.0.0.1.evil.test", False),
        ("https://192.168.0.1", False),
        ("https://api.krea.ai", False),
    ],
)
def test_loopback_is_this_machine(url, expected):
    """
    By the parsed host, not by how the URL begins.
    """
    assert expected is is_loopback(url)


@given(st.text(alphabet="htps:/\\@[].#?%aé \t01", max_size=30).map("https://".__add__))
def test_what_is_accepted_stays_as_it_is(url):
    """
    A normal form is its own normal form, and has the origin of what it came from.
    """
    try:
        normal = normalize(url)
    except ValueError:
        return

    assert normal == normalize(normal)
    assert origin(url.strip()) == origin(normal)
