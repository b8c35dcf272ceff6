from __future__ import annotations

import random
import ssl
import time
from datetime import UTC, datetime

import pytest
import trustme
from api.wire import answer

from krea_cli.errors import UnreachableError


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, monkeypatch, tmp_path):
    """
    The authority is one that the user trusts.
    """
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


def serving(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def ask(connect, server):
    url = server.url("localhost", "https")
    return connect(url, uses_environment=True).post_json("/generate/x", b"{}", {})


def read(connect, server):
    url = server.url("localhost", "HTTPS")
    transport = connect("https://api.invalid", uses_environment=True)
    with transport.stream(url, {}) as stream:
        return b"".join(stream.chunks)


@pytest.mark.usefixtures("trusted")
def test_a_good_certificate_is_taken(wire, connect, authority):
    """
    An authority that SSL_CERT_FILE names is trusted.
    """
    server = wire(answer(), tls=serving(authority.issue_cert("localhost")))

    assert b"{}" == ask(connect, server).content
    assert b"{}" == read(connect, server)


@pytest.mark.usefixtures("trusted")
def test_a_long_body_is_read_through_encryption(wire, connect, authority):
    """
    Every byte; and who stops in the middle of it goes on at once.
    """
    content = random.Random(7).randbytes(3_000_000)
    certificate = serving(authority.issue_cert("localhost"))
    server = wire(answer(content), tls=certificate)
    silent = wire(answer(content[:99], Content_Length="9999"), tls=certificate)

    assert content == read(connect, server)

    transport = connect("https://api.invalid", uses_environment=True)
    with transport.stream(silent.url("localhost", "https"), {}) as stream:
        assert content[:99] == next(stream.chunks)
        started = time.monotonic()
    assert time.monotonic() - started < 0.4


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("fault", ["expired", "wrong host", "unknown authority"])
def test_a_bad_certificate_is_refused(wire, connect, authority, fault):
    """
    Nothing is sent, so nothing can have been paid for (hazard N10).
    """
    past = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = {
        "expired": lambda: authority.issue_cert("localhost", not_after=past),
        "wrong host": lambda: authority.issue_cert("krea.example"),
        "unknown authority": lambda: trustme.CA().issue_cert("localhost"),
    }[fault]()
    server = wire(answer(), tls=serving(certificate))

    for use in (ask, read):
        with pytest.raises(UnreachableError, match="CERTIFICATE"):
            use(connect, server)

    assert [] == server.heard


def test_an_authority_that_nobody_knows_is_refused(wire, connect, authority):
    """
    Without a word of the user only the public authorities count.
    """
    server = wire(answer(), tls=serving(authority.issue_cert("localhost")))

    for use in (ask, read):
        with pytest.raises(UnreachableError, match="CERTIFICATE"):
            use(connect, server)

    assert [] == server.heard
