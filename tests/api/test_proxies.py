from __future__ import annotations

import pytest

from krea_cli.api.proxies import proxy_for

PROXY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY}, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": PROXY, "https_proxy": PROXY}, "https_proxy"),
        ({"all_proxy": PROXY}, "all_proxy"),
        ({"ALL_PROXY": PROXY, "NO_PROXY": "example.com,krea.test"}, None),
        ({"ALL_PROXY": PROXY, "NO_PROXY": "[::1],.krea.test"}, None),
        ({"ALL_PROXY": PROXY, "NO_PROXY": "api.krea.test:443"}, None),
        ({"ALL_PROXY": PROXY, "NO_PROXY": "api.krea.test:80"}, "ALL_PROXY"),
    ],
)
def test_the_variable_of_the_proxy_is_known(monkeypatch, variables, name):
    """
    The one by which a request goes, as it is spelled here; none for an exception.
    """
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)

    found = proxy_for("https://api.krea.test/jobs")

    assert name == (found.variable if found else None)
    assert found is None or found.url == PROXY


def test_a_proxy_without_a_scheme_is_one_for_http(monkeypatch):
    """
    As other programs read it.
    """
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")

    assert proxy_for("https://api.krea.test") == ("HTTPS_PROXY", "http://proxy:3128")
