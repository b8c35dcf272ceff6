from __future__ import annotations

import pytest

from krea_cli.api.proxies import between

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
    ],
)
def test_the_variable_of_the_proxy_is_known(monkeypatch, variables, name):
    """
    The one by which a request goes, as it is spelled here; none for an exception.
    """
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)

    assert name == between("https://api.krea.test/jobs")
