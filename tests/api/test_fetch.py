from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager

import pytest
from api.wire import answer
from service import TOKEN

from krea_cli.api.http_types import ResumePoint, StreamedResponse
from krea_cli.downloads.download_client import (
    DownloadClient,
    ResumeRejectedError,
    UrlExpiredError,
)
from krea_cli.downloads.url_policy import UrlPolicy
from krea_cli.errors import (
    DownloadError,
    ResponseLostError,
    ServerError,
    UnsupportedResultError,
)

# An address of the documents' own: nothing is ever sent there.
PUBLIC = "https://93.184.215.14"
HOSTILE = [
    "file:///etc/passwd",
    "ftp://93.184.215.14/a.png",
    "data:image/png;base64,AAAA",
    "//93.184.215.14/a.png",
    "a.png",
    "http://93.184.215.14/a.png",
    "https://user:password@93.184.215.14/a.png",
    "https://127.1/a.png",
    "https://127.0.0.1:8080/a.png",
    "https://localhost/a.png",
    "https://[::1]/a.png",
    "https://[::ffff:7f00:1]/a.png",
    "https://[fe80::1]/a.png",
    "https://169.254.169.254/latest/meta-data",
    "https://100.100.100.200/latest/meta-data",
    "https://10.0.0.1/a.png",
    "https://192.168.1.1/a.png",
    # The same by ways from IPv6 to IPv4, and addresses of many, or of nobody.
    "https://[64:ff9b::a9fe:a9fe]/a.png",
    "https://[64:ff9b:1::7f00:1]/a.png",
    "https://[2002:a9fe:a9fe::]/a.png",
    "https://[::127.0.0.1]/a.png",
    "https://[fec0::1]/a.png",
    "https://[::ffff:0:127.0.0.1]/a.png",
    "https://[3fff::1]/a.png",
    "https://[5f00::1]/a.png",
    "https://[ff0e::1]/a.png",
    "https://224.0.0.1/a.png",
    "https://192.0.0.8/a.png",
    "https://2130706433/a.png",
    "https://0x7f000001/a.png",
    "https://0177.0.0.1/a.png",
    "https://0.0.0.0/a.png",
    "https://[::1/a.png",
    "https://93.184.215.14:99999/a.png",
    "https:///a.png",
    "",
]
# As redirects those without a host stay at the public one.
ELSEWHERE = [url for url in HOSTILE if url not in ("a.png", "", "https:///a.png")]
ELSEWHERE.remove("//93.184.215.14/a.png")
REMOTE = {"allows_loopback": False}


class Answers:
    """
    A transport of answers given beforehand, by URL; `asked` are the URLs in order.
    """

    trust_env = False

    def __init__(self, answers, *, peer="93.184.215.14"):
        self.asked, self.headers = [], []
        self._answers = answers
        self._peer = peer

    @contextmanager
    def stream(self, url, headers):
        self.asked.append(url)
        self.headers.append(headers)
        status, answered, chunks = self._answers[url]
        yield StreamedResponse(status, answered, iter(chunks), self._peer)


def good(*chunks, **headers):
    return 200, {name.replace("_", "-"): v for name, v in headers.items()}, chunks


def moved(target, status=302):
    return status, {"Location": target}, ()


def fetch(transport, time, url, *, allows_loopback=False):
    fetcher = DownloadClient(transport, time.clock, allows_loopback=allows_loopback)
    with fetcher.open(url) as body:
        return b"".join(body.chunks), body.length


def test_a_public_url_is_fetched(time):
    """
    Its chunks, and the length that the server gives.
    """
    url = f"{PUBLIC}/a.png"
    answers = Answers({url: good(b"one", b"two", Content_Length="6")})

    assert (b"onetwo", 6) == fetch(answers, time, url)


@pytest.mark.parametrize("url", HOSTILE)
def test_another_url_is_never_asked_for(time, url):
    """
    Only https to a public address: for all else no connection is made.
    """
    answers = Answers({})

    with pytest.raises(DownloadError):
        fetch(answers, time, url)

    assert [] == answers.asked


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_redirect_is_no_way_around(time, target, status):
    """
    Each target is looked at as if it were the first.
    """
    start = f"{PUBLIC}/a.png"
    answers = Answers({start: moved(target, status)})

    with pytest.raises(DownloadError):
        fetch(answers, time, start)

    assert [start] == answers.asked


@pytest.mark.parametrize("url", [f"http://127.0.0.1:8787/{n}" for n in range(2)])
@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_a_local_service_may_serve_its_own_results(time, monkeypatch, url, proxy):
    """
    The sandbox gives http URLs on loopback; proxies are none of its business.
    """
    if proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
    local = url.replace("127.0.0.1", "localhost")
    answers = Answers({url: moved(local), local: good(b"x")}, peer="127.0.0.1")

    assert (b"x", None) == fetch(answers, time, url, allows_loopback=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/a",
        "https://192.168.1.1/a",
        "http://93.184.215.14/a",
        "ftp://127.0.0.1/a",
        "//127.0.0.1/a",
    ],
)
def test_a_local_service_leads_nowhere_else(time, url):
    """
    Loopback, by http, is all that is allowed beside what always is.
    """
    answers = Answers({})

    with pytest.raises(DownloadError):
        fetch(answers, time, url, allows_loopback=True)

    assert [] == answers.asked


@pytest.mark.parametrize("peer", ["10.0.0.1", "127.0.0.1", "::1", "::ffff:a00:1"])
def test_an_answer_from_a_private_address_is_not_taken(time, peer):
    """
    A name may lead elsewhere the second time that it is resolved.
    """
    url = f"{PUBLIC}/a.png"
    answers = Answers({url: good(b"secret")}, peer=peer)

    with pytest.raises(DownloadError, match="private address"):
        fetch(answers, time, url)


def test_behind_a_proxy_the_peer_is_the_proxy(time, monkeypatch):
    """
    Which is often at a private address, and resolves the names itself.
    """
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.1:3128")
    url = "https://gen.krea.test/a.png"
    answers = Answers({url: good(b"x")}, peer="10.0.0.1")
    answers.trust_env = True

    assert (b"x", None) == fetch(answers, time, url)


def test_behind_a_proxy_private_addresses_are_refused_all_the_same(time, monkeypatch):
    """
    An address needs no name server.
    """
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.1:3128")
    answers = Answers({})
    answers.trust_env = True

    with pytest.raises(DownloadError, match="private address"):
        fetch(answers, time, "https://169.254.169.254/latest")

    assert [] == answers.asked


@pytest.mark.parametrize(
    "host",
    [
        "10\u30020\u30020\u30021",
        "127\uff0e0\uff610.1",
        "\uff11\uff10.0.0.1",
        "\u2469.0.0.1",
        "10.0.0.1.",
        "0x7f.1.",
        "10.0.\u00ad0.1",
        "%31%30.0.0.1",
        "10.0.0.1\\.krea.test",
        "localhost",
        "LOCALHOST.",
        "\uff4cocalhost",
        "a.localhost",
        "localhost.localdomain",
        "printer.local",
        "metadata.google.internal",
        "router",
    ],
)
def test_behind_a_proxy_no_spelling_leads_into_the_own_network(time, monkeypatch, host):
    """
    What the proxy would make of a name is known without resolving it.
    """
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.1:3128")
    answers = Answers({})
    answers.trust_env = True

    with pytest.raises(DownloadError, match=r"private address|not a valid URL"):
        fetch(answers, time, f"https://{host}/a.png")

    assert [] == answers.asked


@pytest.mark.parametrize(
    "host", ["b\u00fccher.test", "gen.krea.test.", "a_b.krea.test"]
)
def test_behind_a_proxy_other_names_are_fetched(time, monkeypatch, host):
    """
    Also those that are not plain ASCII, or that end with a full stop.
    """
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.1:3128")
    url = f"https://{host}/a.png"
    answers = Answers({url: good(b"x")}, peer="10.0.0.1")
    answers.trust_env = True

    assert (b"x", None) == fetch(answers, time, url)


def chain(count):
    urls = [f"{PUBLIC}/{n}" for n in range(count + 1)]
    # A relative target, as servers like to send it.
    answers = {url: moved(f"/{n}") for n, url in enumerate(urls[:-1], start=1)}
    return Answers(answers | {urls[-1]: good(b"x")}), urls


def test_five_redirects_are_followed(time):
    """
    Each to the next, and the last gives the file.
    """
    answers, urls = chain(5)

    assert (b"x", None) == fetch(answers, time, urls[0])
    assert urls == answers.asked


def test_the_sixth_redirect_is_not_followed(time):
    """
    A loop ends.
    """
    answers, urls = chain(6)

    with pytest.raises(DownloadError, match="more than 5 times"):
        fetch(answers, time, urls[0])

    assert urls[:6] == answers.asked


@pytest.mark.parametrize("target", ["http://[", "https://[x]/"])
def test_a_redirect_to_no_url_is_an_error(time, target):
    """
    And not a bug.
    """
    answers = Answers({f"{PUBLIC}/a": moved(target)})

    with pytest.raises(DownloadError):
        fetch(answers, time, f"{PUBLIC}/a")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, UrlExpiredError),
        (403, UrlExpiredError),
        (404, UrlExpiredError),
        (410, UrlExpiredError),
        (429, ServerError),
        (500, ServerError),
        (503, ServerError),
        (204, DownloadError),
        (206, DownloadError),
        (304, DownloadError),
        (400, DownloadError),
    ],
)
def test_only_200_is_a_file(time, status, kind):
    """
    Gone, passing trouble, and all else are three kinds of failure.
    """
    url = f"{PUBLIC}/a.png"

    with pytest.raises((DownloadError, ServerError)) as caught:
        fetch(Answers({url: (status, {}, [b"x"])}), time, url)

    assert kind is type(caught.value)
    assert str(status) in caught.value.message


BYTES = bytes(range(256)) * 40
DEFLATED = zlib.compress(BYTES)
CODED = {
    "gzip": gzip.compress(BYTES),
    "x-gzip, identity": gzip.compress(BYTES),
    "GZIP": gzip.compress(BYTES[:999]) + gzip.compress(BYTES[999:]) + bytes(9),
    "deflate": DEFLATED,
    "utf-8,deflate": DEFLATED[2:-4],  # without its header, as some send it
    "deflate, gzip": gzip.compress(DEFLATED),
}


@pytest.mark.parametrize(
    "encoding",
    [
        "",
        " ",
        "aws-chunked",
        "utf-8",
        "binary",
        "none",
        "identity,identity",
        "Identity",
    ],
)
def test_a_content_encoding_that_is_no_coding_is_ignored(time, encoding):
    """
    The bytes are the file; stores of files send such words with it.
    """
    url = f"{PUBLIC}/a.png"
    answered = good(BYTES, Content_Encoding=encoding, Content_Length=str(len(BYTES)))

    assert (BYTES, len(BYTES)) == fetch(Answers({url: answered}), time, url)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("encoding", CODED)
def test_a_compressed_body_is_decoded(time, encoding, size):
    """
    However it is cut into chunks; its length is not that of the file.
    """
    url, sent = f"{PUBLIC}/a.png", CODED[encoding]
    chunks = [sent[at : at + size] for at in range(0, len(sent), size)]
    answered = good(*chunks, Content_Encoding=encoding, Content_Length=str(len(sent)))

    assert (BYTES, None) == fetch(Answers({url: answered}), time, url)


def test_a_body_that_is_wrongly_called_compressed_is_taken_as_it_is(time):
    """
    The bytes are right, and only the header is not.
    """
    url = f"{PUBLIC}/a.png"
    answered = good(b"\x89PNG", BYTES, Content_Encoding="gzip")

    assert (b"\x89PNG" + BYTES, None) == fetch(Answers({url: answered}), time, url)


@pytest.mark.parametrize("encoding", CODED)
def test_a_compressed_body_that_ends_too_early_is_cut(time, encoding):
    """
    By its own end, even where the server does not say how long it is.
    """
    url, sent = f"{PUBLIC}/a.png", CODED[encoding].rstrip(b"\0")[:-9]

    with pytest.raises(ResponseLostError, match="incomplete"):
        fetch(Answers({url: good(sent, Content_Encoding=encoding)}), time, url)


def test_little_that_becomes_much_comes_in_pieces(time):
    """
    So that a reader can stop at any size.
    """
    url = f"{PUBLIC}/a.png"
    bomb = good(gzip.compress(bytes(2**24)), Content_Encoding="gzip")
    fetcher = DownloadClient(Answers({url: bomb}), time.clock, allows_loopback=False)

    with fetcher.open(url) as body:
        assert 2**18 >= len(next(body.chunks))


@pytest.mark.parametrize("encoding", ["br", "gzip, zstd", "gzip," * 4])
def test_a_body_that_cannot_be_decoded_is_left_to_a_browser(time, encoding):
    """
    The whole URL is told, as the result is paid for.
    """
    url = f"{PUBLIC}/a.png?X-Amz-Signature=secret"

    with pytest.raises(DownloadError, match="unsupported encoding") as caught:
        fetch(Answers({url: good(b"x", Content_Encoding=encoding)}), time, url)

    assert caught.value.is_lasting
    assert caught.value.hint.endswith(f": {url}")


def test_a_part_of_a_compressed_body_is_not_gone_on_with(time):
    """
    It would be put behind bytes that were not compressed.
    """
    url = f"{PUBLIC}/a.png"
    headers = {"Content-Range": "bytes 1-1/2", "Content-Encoding": "gzip"}
    fetcher = DownloadClient(
        Answers({url: (206, headers, ())}), time.clock, allows_loopback=False
    )

    with (
        pytest.raises(ResumeRejectedError),
        fetcher.open(url, resume_point=ResumePoint(size=1, etag='"1"', length=2)),
    ):
        pass


@pytest.mark.parametrize(
    "answered",
    [
        (403, {}, ()),
        (500, {}, ()),
        (400, {}, ()),
        moved("https://10.0.0.1/?X-Amz-Signature=secret"),
        moved(f"{PUBLIC}/a.png?X-Amz-Signature=secret"),
        moved("http://["),
    ],
)
def test_no_message_has_the_query(time, answered):
    """
    It may be a signature; the rest of the URL is told.
    """
    url = f"{PUBLIC}/a.png?X-Amz-Signature=secret"

    with pytest.raises((DownloadError, ServerError)) as caught:
        fetch(Answers({url: answered}), time, url)

    assert "secret" not in caught.value.message
    assert caught.value.message.startswith("https://")


def test_a_url_without_end_is_told_short(time):
    """
    One clear line, not twenty thousand characters.
    """
    with pytest.raises(DownloadError) as caught:
        fetch(Answers({}), time, f"https://10.0.0.1/{'a' * 20_000}")

    assert len(caught.value.message) < 500


PART = ResumePoint(size=3, etag='"v1"', length=6)


def go_on(answers, time, resume_point=PART):
    fetcher = DownloadClient(answers, time.clock, allows_loopback=False)
    with fetcher.open(f"{PUBLIC}/a.png", resume_point=resume_point) as body:
        return b"".join(body.chunks), body.start, body.length, body.etag


def partial(content_range="bytes 3-5/6", **headers):
    given = {"Content-Range": content_range} if content_range else {}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return 206, given, [b"two"]


@pytest.mark.parametrize(
    "answered",
    [
        partial(),
        partial(ETag='"v1"'),
        partial(Content_Length="3"),
        partial(Transfer_Encoding="chunked", Content_Length="99"),
        partial(" bytes 3-5/6 "),
    ],
)
def test_a_part_is_gone_on_with(time, answered):
    """
    By Range, and If-Range with the version that the part is of.
    """
    answers = Answers({f"{PUBLIC}/a.png": answered})

    assert (b"two", 3, 6, '"v1"') == go_on(answers, time)
    assert [{"Range": "bytes=3-", "If-Range": '"v1"'}] == answers.headers


def test_a_part_of_unknown_length_gets_one(time):
    """
    The server says it with the rest.
    """
    part = ResumePoint(size=3, etag='"v1"', length=None)

    assert (b"two", 3, 6, '"v1"') == go_on(
        Answers({f"{PUBLIC}/a.png": partial()}), time, part
    )


def test_a_server_may_begin_anew(time):
    """
    It has another version, or knows no ranges: 200 is the whole file.
    """
    whole = good(b"threes", Content_Length="6", ETag='"v2"')

    assert (b"threes", 0, 6, '"v2"') == go_on(Answers({f"{PUBLIC}/a.png": whole}), time)


@pytest.mark.parametrize(
    "answered",
    [
        (416, {"Content-Range": "bytes */3"}, [b"x"]),
        partial("bytes 2-5/6"),
        partial("bytes 4-5/6"),
        partial("bytes 0-2/6"),
        partial("bytes 3-4/6"),
        partial("bytes 3-5/7"),
        partial("bytes 3-6/7"),
        partial("bytes 3-5/*"),
        partial("bytes 3-5"),
        partial("bytes 5-3/6"),
        partial("bytes 3--5/6"),
        partial("lines 3-5/6"),
        partial("bytes " + "3" * 5000 + "-5/6"),
        partial(""),
        partial(ETag='"v2"'),
        partial(ETag='W/"v1"'),
        partial(Content_Length="4"),
        partial(Content_Length="2"),
    ],
)
def test_another_part_than_asked_for_is_no_rest(time, answered):
    """
    Put together they would be a file that never was.
    """
    with pytest.raises(ResumeRejectedError):
        go_on(Answers({f"{PUBLIC}/a.png": answered}), time)


def test_a_part_is_asked_for_at_each_redirect(time):
    """
    Nobody but the last knows whether it is still the same file.
    """
    answers, urls = chain(1)
    answers._answers[urls[1]] = partial()
    fetcher = DownloadClient(answers, time.clock, allows_loopback=False)

    with fetcher.open(urls[0], resume_point=PART) as body:
        assert 3 == body.start

    assert 2 == len([one for one in answers.headers if one["Range"] == "bytes=3-"])


@pytest.mark.parametrize(
    ("etag", "kept"),
    [
        ('"v1"', '"v1"'),
        (' "v1" ', '"v1"'),
        ('""', '""'),
        ('W/"v1"', None),
        ("v1", None),
        ('"v1', None),
        ('"v"1"', None),
        ('"v1", "v2"', None),
        ('"\xe9"', None),
        ('"a\tb"', None),
        ("", None),
    ],
)
def test_only_a_strong_entity_tag_names_a_version(time, etag, kept):
    """
    A weak one does not promise the same bytes.
    """
    url = f"{PUBLIC}/a.png"
    fetcher = DownloadClient(
        Answers({url: good(b"x", ETag=etag)}), time.clock, **REMOTE
    )

    with fetcher.open(url) as body:
        assert kept == body.etag


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({"Content_Length": "6"}, 6),
        ({"Content_Length": "0"}, 0),
        ({}, None),
        ({"Content_Length": "-1"}, None),
        ({"Content_Length": "abc"}, None),
        ({"Content_Length": "6, 7"}, None),
        ({"Content_Length": "9" * 5000}, None),
        ({"Content_Length": "\u0666"}, None),
        ({"Content_Length": "6", "Transfer_Encoding": "chunked"}, None),
    ],
)
def test_a_length_that_is_none_is_none(time, headers, length):
    """
    The same for one that stands beside chunks, where it says nothing.
    """
    url = f"{PUBLIC}/a.png"

    assert length == fetch(Answers({url: good(b"x", **headers)}), time, url)[1]


def trickle(time, *, every, size):
    while time.elapsed < 3600:
        time.sleep(every)
        yield bytes(size)


def test_a_body_that_trickles_is_given_up(time):
    """
    Less than 30 kB in half a minute is no download.
    """
    url = f"{PUBLIC}/a.png"
    answers = Answers({url: (200, {}, trickle(time, every=1, size=900))})

    with pytest.raises(DownloadError, match="too slow"):
        fetch(answers, time, url)

    assert 30 == time.elapsed


def test_a_slow_body_is_waited_for(time):
    """
    However long it takes as a whole.
    """
    url = f"{PUBLIC}/a.png"
    answers = Answers({url: (200, {}, trickle(time, every=1, size=1100))})

    assert 3600 * 1100 == len(fetch(answers, time, url)[0])


def test_no_credential_follows_a_redirect(wire, connect, time):
    """
    Over real sockets, from one origin to another.
    """
    other = wire(answer(b"x"))
    first = wire(answer(status="307 Moved", Location=f"{other.url('localhost')}/a"))
    transport = connect(first.url())

    got, _ = fetch(transport, time, f"{first.url()}/a", allows_loopback=True)
    heard = [*first.heard, *other.heard]

    assert (b"x", 2) == (got, len(heard))
    assert not [one for one in heard if TOKEN in str(one.headers)]
    assert {"GET /a HTTP/1.1"} == {one.line for one in heard}


def test_an_invalid_url_is_not_offered_to_other_programs():
    """
    They could not download it either.
    """
    policy = UrlPolicy(allows_loopback=False, trust_env=False)

    with pytest.raises(UnsupportedResultError, match="not a valid URL"):
        policy.check("https://[")
