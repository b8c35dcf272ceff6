from __future__ import annotations

import json
import os
import random
import shutil
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
import trustme
from api.wire import answer
from service import TOKEN

from krea_cli.api import tls
from krea_cli.api.request_body import encode_body
from krea_cli.errors import ConfigError, ConnectionFailedError

OPENSSL = shutil.which("openssl")


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
    return connect(url, trust_env=True).post_json("/generate/x", encode_body({}), {})


def read(connect, server):
    url = server.url("localhost", "HTTPS")
    transport = connect("https://api.invalid", trust_env=True)
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

    transport = connect("https://api.invalid", trust_env=True)
    with transport.stream(silent.url("localhost", "https"), {}) as stream:
        assert content[:99] == next(stream.chunks)
        started = time.monotonic()
    assert time.monotonic() - started < 0.4


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("expired", "certificate has expired"),
        ("wrong host", "certificate is not valid for 'localhost'"),
        ("unknown authority", "(self-signed|local issuer)"),
    ],
)
def test_a_bad_certificate_is_refused(wire, connect, authority, problem, said):
    """
    Nothing is sent, so nothing can have been paid for.
    """
    past = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = {
        "expired": lambda: authority.issue_cert("localhost", not_after=past),
        "wrong host": lambda: authority.issue_cert("krea.example"),
        "unknown authority": lambda: trustme.CA().issue_cert("localhost"),
    }[problem]()
    server = wire(answer(), tls=serving(certificate))

    for use in (ask, read):
        with pytest.raises(ConnectionFailedError, match=f"localhost:.*{said}"):
            use(connect, server)

    assert [] == server.heard


def test_an_authority_that_nobody_knows_is_refused(wire, connect, authority):
    """
    Without a word of the user only those count whom the system trusts.
    """
    server = wire(answer(), tls=serving(authority.issue_cert("localhost")))

    for use in (ask, read):
        with pytest.raises(
            ConnectionFailedError, match="Cannot verify the certificate"
        ):
            use(connect, server)

    assert [] == server.heard
    assert "truststore" in sys.modules


@pytest.mark.skipif(not OPENSSL, reason="there is no openssl to name the file")
def test_a_folder_of_authorities_is_taken(
    wire, connect, authority, tmp_path, monkeypatch
):
    """
    SSL_CERT_DIR has them under the names that OpenSSL looks for.
    """
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    asked = [OPENSSL, "x509", "-noout", "-hash", "-in", path]
    name = subprocess.run(asked, capture_output=True, check=True, text=True).stdout
    path.rename(tmp_path / f"{name.strip()}.0")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", "")
    server = wire(answer(), tls=serving(authority.issue_cert("localhost")))

    assert b"{}" == ask(connect, server).content


@pytest.mark.parametrize(
    ("variable", "content", "said"),
    [
        ("SSL_CERT_FILE", None, "No such file"),
        ("SSL_CERT_FILE", b"", "no valid certificates"),
        ("SSL_CERT_FILE", b"\x00garbage", "no valid certificates"),
        ("SSL_CERT_DIR", None, "not an accessible folder"),
        ("SSL_CERT_DIR", b"a file", "not an accessible folder"),
    ],
)
def test_what_names_no_certificates_is_told(
    wire, krea, tmp_path, monkeypatch, variable, content, said
):
    """
    It is a usage error of one line, not a service that is away; nothing is sent.
    """
    path = tmp_path / "authorities"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(variable, str(path))
    server = wire(answer())
    krea.env |= {"KREA_API_URL": server.url(scheme="https"), "KREA_API_KEY": TOKEN}

    result = krea("jobs", "list", "--remote")

    assert 2 == result.code
    assert [True, False] == [
        line.startswith("error: ") and f"{variable}={path}: {said}" in line
        for line in result.err.splitlines()
    ]
    assert 0 == server.connections


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SSL_CERT_FILE", os.devnull, "not a regular file"),
        ("SSL_CERT_FILE", "pipe", "not a regular file"),
        ("SSL_CERT_DIR", "x" * 300, "not an accessible folder"),
    ],
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_what_can_be_no_certificates_is_not_tried(
    tmp_path, monkeypatch, variable, value, said
):
    """
    No pipe is waited for, and a name that is too long is no bug.
    """
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError, match=f"{variable}={value}: {said}"):
        tls.create_context()


@pytest.fixture
def empty_store(monkeypatch):
    """
    A system on which no certificates are installed, as many container images are.
    """
    nothing = ssl.DefaultVerifyPaths(None, None, "", "", "", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    monkeypatch.setattr("truststore._openssl._CA_FILE_CANDIDATES", [])


@pytest.mark.posix
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="no list is read there")
@pytest.mark.usefixtures("empty_store")
def test_a_system_without_certificates_is_told(wire, krea, connect, authority):
    """
    By a request and by `doctor`, which is exit 6 as the request is; neither blames the
    clock.
    """
    server = wire(answer(), tls=serving(authority.issue_cert("localhost")))
    krea.env |= {"KREA_API_URL": server.url("localhost", "https")}

    with pytest.raises(ConnectionFailedError, match="No CA certificates") as caught:
        ask(connect, server)
    examined = krea("doctor", "--json", env={"KREA_API_KEY": TOKEN})

    found = [json.loads(line) for line in examined.out.splitlines()]
    [told] = [each for each in found if each["check"] == "certificates"]
    assert 6 == examined.code
    assert ("fault", caught.value.message) == (told["state"], told["message"])
    assert "ca-certificates" in caught.value.hint
    assert "SSL_CERT_FILE" in caught.value.hint
    assert "clock" not in caught.value.hint


@pytest.mark.usefixtures("trusted")
def test_certificates_of_the_user_s_own_are_enough(empty_store):
    """
    Where the system has none.
    """
    assert tls.no_certificates_error() is None


def test_a_folder_without_certificates_is_told(monkeypatch, tmp_path, authority):
    """
    Whose files OpenSSL does not find by their names; beside a file it does not matter.
    """
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    alone = tls.no_certificates_error()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    assert f"SSL_CERT_DIR={tmp_path}: " in alone.message
    assert f"openssl rehash {tmp_path}" in alone.hint
    assert tls.no_certificates_error() is None


@pytest.mark.parametrize("knows", [True, False])
def test_the_program_trusts_whom_the_variable_names(
    wire, krea, authority, request, knows
):
    """
    Also a service on this machine; a stranger is exit 6, at once and once.
    """
    if knows:
        request.getfixturevalue("trusted")
    server = wire(
        answer(b'{"items": [], "next_cursor": null}'),
        tls=serving(authority.issue_cert("localhost")),
    )
    krea.env |= {"KREA_API_URL": server.url("localhost", "https")}
    began = time.monotonic()

    result = krea("jobs", "list", "--remote", env={"KREA_API_KEY": TOKEN})

    assert (0 if knows else 6) == result.code
    assert knows == ("Cannot verify the certificate" not in result.err)
    assert (1, int(knows)) == (server.connections, len(server.heard))
    assert time.monotonic() - began < 7
