"""
`krea sandbox`, and the server that it starts, asked by a client that is not krea.
"""

from __future__ import annotations

import json
import re
import signal
from http.client import HTTPConnection
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from krea_cli.commands.sandbox import PORT
from krea_cli.runtime.clock import Clock
from krea_cli.runtime.signals import Interrupted
from krea_cli.sandbox.faults import NAMES, ROUTES
from krea_cli.sandbox.server import Sandbox

MODEL = "generate/image/google/nano-banana-pro"


def ask(url, body=None, method=None):
    """
    What a plain client gets: the JSON, or the bytes.
    """
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, method=method), timeout=10) as answer:
        content = answer.read()
        is_json = answer.headers["Content-Type"] == "application/json"
        return json.loads(content) if is_json else content


def look(url):
    """
    Ask for the list twice on one connection; the first time is in the log when the
    second answer comes.
    """
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    for _ in range(2):
        connection.request("GET", "/jobs?limit=1")
        connection.getresponse().read()
    connection.close()


@pytest.fixture
def serve(krea, time):
    """
    Runs `sandbox serve`, and while it serves calls *during* with its URL; then comes a
    signal.
    """

    def run(*words, during=lambda _: None, signum=signal.SIGINT):
        def sleep(_):
            said = krea.stdout.getvalue()
            during(re.search(r"http://127\.0\.0\.1:\d+", said)[0])
            raise Interrupted(signum)

        krea.clock = Clock(sleep=sleep, wall=time.wall)
        return krea("sandbox", "serve", "--port", "0", *words)

    return run


def test_a_pipe_gets_the_url_and_a_log(serve):
    """
    The URL alone on standard output, a line for each request on standard error.
    """
    urls = []

    def during(url):
        urls.append(url)
        look(url)

    result = serve(during=during)

    assert f"{urls[0]}\n" == result.out
    assert re.fullmatch(r"(GET /jobs 200 \d+ ms\n){1,2}", result.err)


@pytest.mark.parametrize(("signum", "code"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_ends_it_as_it_should(serve, signum, code):
    """
    With the code of the signal, but without an error: nothing has failed.
    """
    result = serve("--quiet", during=look, signum=signum)

    assert (code, "") == (result.code, result.err)


def test_a_program_gets_an_object(serve):
    """
    With --json, the URL under its name, and nothing on standard error.
    """
    result = serve("--json", during=look)

    assert ["url"] == list(json.loads(result.out))
    assert "" == result.err


def test_a_person_is_told_what_to_do_with_it(krea, serve, monkeypatch):
    """
    Commands to paste, each whole on its line; those for curl do what they say.
    """
    monkeypatch.setenv("COLUMNS", "40")
    krea.is_terminal = True
    seen = []

    def during(url):
        said = krea.stdout.getvalue()
        [fault] = re.findall(r"curl -d '(.*)' ", said)
        seen.append(ask(f"{url}/sandbox/faults", json.loads(fault)))
        seen.append(ask(re.findall(r"curl (http.*)", said)[0]))
        seen.append(f'KREA_API_KEY=anything krea generate "an owl" --api-url {url}\n')

    result = serve(during=during)
    faults, bill, command = seen

    assert {"faults": ["submit:503*2"]} == faults
    assert 0 == bill["count"]
    assert command in result.out


def test_a_client_that_is_not_krea_gets_its_picture(krea, serve, time):
    """
    Submitted, looked at and fetched without a token; `krea status --sandbox` sees it.
    """
    seen = []

    def during(url):
        job = ask(f"{url}/{MODEL}", {"prompt": "an owl", "resolution": "1K"})
        time.sleep(2)
        seen.append(ask(f"{url}/jobs/{job['job_id']}"))
        seen.append(ask(seen[0]["result"]["urls"][0]))
        seen.append(ask(f"{url}/sandbox/ledger"))

    serve(during=during)
    job, picture, bill = seen
    status = krea("status", job["job_id"], "--sandbox")

    assert "completed" == job["status"]
    assert picture.startswith(b"\x89PNG")
    assert (1, 0.15) == (bill["billed"], bill["total_usd"])
    assert f"{job['job_id']}\tcompleted\n" == status.out


def test_faults_of_the_command_line_are_set_from_the_start(serve):
    """
    In the order given, each as often as it says.
    """
    seen = []

    def during(url):
        for _ in range(3):
            try:
                seen.append(ask(f"{url}/{MODEL}", {"prompt": "an owl"})["status"])
            except HTTPError as exc:
                seen.append((exc.code, exc.headers["Retry-After"]))
                exc.close()

    serve("--fault", "submit:429=7", "--fault", "submit:503", during=during)

    assert [(429, "7"), (503, None), "queued"] == seen


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("submit:rest", "Faults: reset, close"),
        ("sumbit:reset", "Routes: submit, jobs"),
        ("reset", "ROUTE:FAULT"),
    ],
)
def test_a_wrong_fault_is_refused_before_it_listens(krea, fault, says):
    """
    Exit 2, and the words that are right.
    """
    result = krea("sandbox", "serve", "--port", "0", "--fault", fault)

    assert (2, "") == (result.code, result.out)
    assert says in result.err


def test_a_port_that_is_taken_is_exit_2(krea, service):
    """
    The port is named, and what to do.
    """
    port = service.url.rpartition(":")[2]

    result = krea("sandbox", "serve", "--port", port)

    assert (2, "") == (result.code, result.out)
    assert f"port {port}" in result.err
    assert "0 for any" in result.err


def test_the_help_has_every_fault(krea):
    """
    All the words that may be written are there.
    """
    said = krea("sandbox", "serve", "--help").out

    assert not [word for word in (*ROUTES, *NAMES, str(PORT)) if word not in said]


@pytest.mark.posix
def test_a_process_serves_krea_until_it_is_terminated(shell, krea):
    """
    krea takes its URL with any token; SIGTERM ends it within a second, quietly.
    """
    env = {"KREA_API_KEY": "anything"}

    with shell.start("sandbox", "serve", "--port", "0") as process:
        url = process.stdout.readline().decode().strip()
        taken = krea("generate", "an owl", "--no-wait", "--api-url", url, env=env)
        seen = krea("status", taken.out.strip(), "--sandbox")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=1)

    assert (0, -signal.SIGTERM) == (taken.code, process.returncode)
    assert seen.out.startswith(taken.out.strip())
    assert [f"POST /{MODEL} 200"] == [
        line.rpartition(" ms")[0].rpartition(" ")[0]
        for line in err.decode().splitlines()
    ]


def test_reset_forgets_the_jobs_and_says_how_many(krea):
    """
    What the journal knows of them stays.
    """
    made = krea("generate", "an owl", "-n", "2", "--no-wait", "--sandbox").out.split()

    result = krea("sandbox", "reset")
    again = krea("sandbox", "reset", "--json")
    status = krea("status", "@last", "--sandbox")

    assert (0, "2\n") == (result.code, result.out)
    assert {"jobs": 0} == json.loads(again.out)
    assert [job_id for job_id in made if job_id not in status.err] == []


def test_reset_tells_a_person(krea):
    """
    A sentence.
    """
    krea("generate", "an owl", "--no-wait", "--sandbox")
    krea.is_terminal = True

    result = krea("sandbox", "reset")

    assert "Deleted 1 job and all uploads and results of the sandbox.\n" == result.out


def test_a_sandbox_that_runs_goes_on_after_reset(krea, tmp_path):
    """
    Its next job is the first.
    """
    folder = tmp_path / "home" / "state" / "sandbox"
    with Sandbox(folder) as sandbox:
        ask(f"{sandbox.url}/{MODEL}", {"prompt": "an owl"})
        krea("sandbox", "reset")
        ask(f"{sandbox.url}/{MODEL}", {"prompt": "a cat"})

        assert 1 == ask(f"{sandbox.url}/sandbox/ledger")["count"]


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("reset",)])
def test_a_folder_that_cannot_be_used_is_exit_7(krea, tmp_path, words):
    """
    It is named, and what names another.
    """
    folder = tmp_path / "home" / "state"
    folder.mkdir()
    (folder / "sandbox").touch()

    result = krea("sandbox", *words)

    assert (7, "") == (result.code, result.out)
    assert str(folder / "sandbox") in result.err
    assert "KREA_STATE_DIR" in result.err


def test_it_can_be_as_busy_as_the_service(serve, time):
    """
    How long a job takes, how many run at once, and what becomes of one more.
    """
    codes, statuses = [], []

    def during(url):
        made = ask(f"{url}/{MODEL}", {"prompt": "a fox"})
        try:
            ask(f"{url}/{MODEL}", {"prompt": "a fox"})
        except HTTPError as exc:
            codes.append((exc.code, exc.headers["Retry-After"]))
            exc.close()
        for seconds in (8.9, 0.2):
            time.elapsed += seconds
            statuses.append(ask(f"{url}/jobs/{made['job_id']}")["status"])

    words = ("--job-seconds", "9", "--parallel-jobs", "1", "--over-limit", "refuse")
    serve(*words, during=during)

    assert [(429, "1")] == codes
    assert ["processing", "completed"] == statuses
