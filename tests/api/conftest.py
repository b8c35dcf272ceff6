from __future__ import annotations

import pytest
from api.wire import Wire
from service import TOKEN

from krea_cli.api.http import HttpTransport

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def plain_network(monkeypatch):
    """
    Unset the proxy variables of this computer.
    """
    for name in (*PROXIES, *map(str.upper, PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def wire():
    """
    Return a function that starts raw servers. They stop after the test.
    """
    made = []

    def make(*scripts, **options):
        made.append(Wire(*scripts, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def log():
    return []


@pytest.fixture
def connect(log):
    """
    Return a function that builds transports with the token. They are closed after the
    test.
    """
    made = []

    def make(url, token=TOKEN, *, trust_env=False):
        transport = HttpTransport(
            url,
            token,
            user_agent="krea-cli/test",
            trust_env=trust_env,
            log=log.append,
        )
        made.append(transport)
        return transport

    yield make
    for each in made:
        each.close()
