"""
What goes wrong on request, as a plain client sees it.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time as real_time
from contextlib import suppress

import pytest
from sandbox.asking import NANO_BANANA, Client, opened

from krea_cli.errors import UsageError
from krea_cli.sandbox.concurrency import JobLimits
from krea_cli.sandbox.faults import NAMES, ROUTES, Fault, FaultQueue
from krea_cli.sandbox.server import Sandbox

SMALL = {"prompt": "a red fox", "width": 64, "height": 48}
JOB = "00000000-0000-4000-8000-000000000000"
# A request for each route that a fault can be set for.
REQUESTS = {
    "submit": ("POST", NANO_BANANA, SMALL),
    "jobs": ("GET", "/jobs"),
    "job": ("GET", f"/jobs/{JOB}"),
    "cancel": ("DELETE", f"/jobs/{JOB}"),
    "upload": ("POST", "/assets", "x" * 100_000),
    "assets": ("GET", "/assets"),
    "styles": ("GET", "/styles"),
    "result": ("GET", f"/results/{JOB}-image.png"),
    "any": ("GET", "/nowhere"),
}


def ask(client, *request):
    """
    The answer, or the name of the exception that a client gets instead.
    """
    try:
        return client(*request)
    except (OSError, http.client.HTTPException) as exc:
        client.connection.close()
        return type(exc).__name__


def count(client):
    return len(client("GET", "/jobs").json["items"])


@pytest.fixture
def completed(client, time):
    """
    The id of a job that is completed.
    """
    job_id = client.submit(**SMALL).json["job_id"]
    time.sleep(2)
    return job_id


@pytest.mark.parametrize(
    "text",
    [
        "submit:reset",
        "jobs:close-after*2",
        "job:hang=0.5*",
        "any:429=Wed, 21 Oct 2026 07:28:00 GMT",
        "submit:429=-5*3",
        "submit:503-after=2",
        "submit:fails=nsfw",
        "upload:html=502",
        "result:cut=1000*",
        "cancel:599-after",
        "submit:takes=0.5-9*",
        "submit:reset-after*2+5@an owl, *and* a fox",
        "job:503*+3@owl",
    ],
)
def test_a_fault_is_told_as_it_was_written(text):
    """
    What is still set can be copied and set again.
    """
    assert text == str(Fault.parse(text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("503", "ROUTE:FAULT"),
        ("submit:503*0", "ROUTE:FAULT"),
        ("submit:503**", "ROUTE:FAULT"),
        ("sumbit:503", ", ".join(ROUTES)),
        ("submit:rest", ", ".join(NAMES)),
        ("submit:200", ", ".join(NAMES)),
        ("submit:", ", ".join(NAMES)),
        ("submit:slow-after", "reset-after, close-after"),
        ("submit:429-after", "reset-after, close-after"),
        ("reset", "No route in the fault"),
        ("any:fails", "submit only"),
        ("submit:cut", "result only"),
        ("submit:reset=1", "takes no value"),
        ("submit:402=1", "takes no value"),
        ("jobs:503@owl", "submit, job, cancel, result"),
        ("any:503@owl", "submit, job, cancel, result"),
        ("submit:503+0", "ROUTE:FAULT"),
        ("submit:503@", "ROUTE:FAULT"),
        ("job:takes=1", "submit only"),
        ("submit:takes=1-", "DURATION"),
        ("submit:slow=", "SECONDS"),
        ("submit:slow=1e9", "SECONDS"),
        ("submit:html=204", "STATUS"),
        ("submit:429=1\r\nX: y", "RETRY-AFTER"),
    ],
)
def test_what_is_no_fault_is_refused_with_what_is_one(text, says):
    """
    The words that are allowed are named.
    """
    with pytest.raises(UsageError) as caught:
        Fault.parse(text)

    assert says in f"{caught.value.message} {caught.value.hint}"


def take(faults, route, applies=lambda _: True):
    fault = faults.pop(route, applies)
    return fault and str(fault)


def test_faults_are_used_up_in_the_order_given():
    """
    Each as often as it was set, those of the route itself before those of any.
    """
    faults = FaultQueue()
    faults.add(["any:slow*", "submit:reset*2", "submit:503", "job:404"])

    taken = [take(faults, "submit") for _ in range(4)]

    assert ["submit:reset", "submit:reset", "submit:503", "any:slow*"] == taken
    assert ["any:slow*", "job:404"] == faults.texts


def test_a_fault_is_used_up_by_one_request_though_many_come_at_once():
    """
    Of 8 threads that take what is there for 100 requests, 100 get it.
    """
    faults = FaultQueue()
    faults.add(["submit:503*60", "any:503*40"])
    taken = []

    def applies(_):
        real_time.sleep(0)  # another thread may come in between
        return True

    def run():
        while fault := take(faults, "submit", applies):
            taken.append(fault)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (100, []) == (len(taken), faults.texts)


def combinations():
    for route in ROUTES:
        for name in (*NAMES[:-1], "400", "402", "410", "429=1", "503", "520"):
            named = {"hang": "hang=0.01"}.get(name, name)
            for text in (f"{route}:{named}", f"{route}:{named}-after"):
                with suppress(UsageError):
                    # One that waits for a completed job has its own test.
                    if "no-urls" not in (found := str(Fault.parse(text))):
                        yield found


def test_every_fault_is_used_up_on_every_route(sandbox, client):
    """
    Whatever is set, the next request there gets it, and the server stays as good as it
    was.
    """
    texts = list(combinations())
    for text in texts:
        sandbox.add_faults(text)
        ask(client, *REQUESTS[text.partition(":")[0]])

        assert {"faults": []} == client("GET", "/sandbox/faults").json, text
        assert 200 == client("GET", "/jobs").status

    assert len(texts) > 100


def test_every_request_is_told(tmp_path):
    """
    A line each: method, path, the status if there was one, the time, and the fault.
    """
    lines = []
    with Sandbox(tmp_path, faults=["job:404", "cancel:close"], log=lines.append) as box:
        client = Client(box)
        client("GET", "/jobs?limit=5")
        client(*REQUESTS["job"])
        client("GET", "/sandbox/faults", host="evil.example")
        ask(client, *REQUESTS["cancel"])

    assert [
        "GET /jobs 200 N ms",
        f"GET /jobs/{JOB} 404 N ms job:404",
        "GET /sandbox/faults 400 N ms",
        f"DELETE /jobs/{JOB} - N ms cancel:close",
    ] == [re.sub(r"\d+ ms", "N ms", line) for line in lines]


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("reset", "ConnectionResetError"),
        ("close", "RemoteDisconnected"),
        ("hang", "TimeoutError"),
        ("hang=0.1", "RemoteDisconnected"),
    ],
)
@pytest.mark.long
def test_a_lost_answer_before_and_after_the_job_is_taken(sandbox, client, fault, seen):
    """
    The client cannot tell the two apart; the list can.
    """
    client.connection.timeout = 0.4
    name, equals, value = fault.partition("=")
    sandbox.add_faults(f"submit:{fault}", f"submit:{name}-after{equals}{value}")

    before, jobs_before = ask(client, *REQUESTS["submit"]), count(client)
    after, jobs_after = ask(client, *REQUESTS["submit"]), count(client)

    assert (seen, seen) == (before, after)
    assert (0, 1) == (jobs_before, jobs_after)


def test_a_large_upload_is_read_before_it_is_reset(sandbox, client):
    """
    The client gets all of it off, as with a service that breaks after it.
    """
    sandbox.add_faults("upload:reset")
    client.connection.request("POST", "/assets", b"x" * 20_000_000)

    with pytest.raises(ConnectionResetError):
        client.connection.getresponse()


def test_a_hanging_request_ends_with_the_sandbox(tmp_path):
    """
    Stopping does not wait for it.
    """
    sandbox = Sandbox(tmp_path, faults=["jobs:hang"])
    sandbox.start()
    host, _, port = sandbox.url[7:].partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        real_time.sleep(0.1)
        start = real_time.perf_counter()
        sandbox.stop()
        end = connection.recv(1)

    assert b"" == end
    assert real_time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("401", 401, {"message": "Unauthorized"}),
        ("402", 402, {"error": "You have run out of credits."}),
        (
            "429",
            429,
            {"error": "You have reached the maximum number of concurrent jobs."},
        ),
        ("500", 500, {"error": "Internal Server Error"}),
        ("520", 520, {"error": "Status 520"}),
    ],
)
def test_a_refusal_speaks_as_the_service_does(sandbox, client, fault, status, said):
    """
    A status with the body that goes with it, and no job.
    """
    sandbox.add_faults(f"submit:{fault}")

    answer = client.submit()

    assert (status, said) == (answer.status, answer.json)
    assert "Retry-After" not in answer.headers
    assert 0 == count(client)


def test_a_model_that_is_gone_names_its_successor(sandbox, client):
    """
    410 has a shape of its own.
    """
    sandbox.add_faults("submit:410")

    answer = client.submit().json

    assert "model_unavailable" == answer["error"]
    assert {"message", "sunset_date", "replacement"} < answer.keys()


@pytest.mark.parametrize("wait", ["7", "Wed, 21 Oct 2026 07:28:00 GMT", "soon"])
def test_retry_after_is_as_given(sandbox, client, wait):
    """
    Seconds, a date, or nonsense.
    """
    sandbox.add_faults(f"submit:429={wait}", f"submit:503-after={wait}")

    answers = [client.submit(), client.submit()]

    assert [(429, wait), (503, wait)] == [
        (answer.status, answer.headers["Retry-After"]) for answer in answers
    ]
    assert 1 == count(client)


@pytest.mark.parametrize(
    ("fault", "status", "content"),
    [
        ("html", 200, b"<!DOCTYPE html>"),
        ("html=502", 502, b"<!DOCTYPE html>"),
        ("empty", 200, b""),
        ("junk", 200, b'{"job_id": "'),
    ],
)
def test_an_answer_that_is_no_json(sandbox, client, fault, status, content):
    """
    Before the job is taken, and after; the connection stays good.
    """
    name, equals, value = fault.partition("=")
    sandbox.add_faults(f"submit:{fault}", f"submit:{name}-after{equals}{value}")

    before, jobs_before = client.submit(), count(client)
    after, jobs_after = client.submit(), count(client)

    assert (status, before.content) == (after.status, after.content)
    assert before.content[:15] == content
    assert ("text/html" in before.headers["Content-Type"]) == fault.startswith("html")
    assert (0, 1) == (jobs_before, jobs_after)


@pytest.mark.parametrize(
    ("fault", "code"), [("fails", "sandbox_fault"), ("fails=nsfw", "nsfw")]
)
def test_a_job_that_will_fail(sandbox, client, time, fault, code):
    """
    It is taken as any other, and fails when it would be completed.
    """
    sandbox.add_faults(f"submit:{fault}")
    job_id = client.submit().json["job_id"]

    early = client("GET", f"/jobs/{job_id}").json
    time.sleep(2)
    late = client("GET", f"/jobs/{job_id}").json

    assert ("queued", "failed", code) == (
        early["status"],
        late["status"],
        late["error"]["code"],
    )


def test_completed_without_urls(sandbox, client, time):
    """
    It waits for the job to be completed; the next look has the result.
    """
    sandbox.add_faults("job:no-urls")
    job_id = client.submit().json["job_id"]

    early = client("GET", f"/jobs/{job_id}").json
    time.sleep(2)
    first, second = (client("GET", f"/jobs/{job_id}").json for _ in range(2))

    assert "queued" == early["status"]
    assert ("completed", {}) == (first["status"], first["result"])
    assert ("completed", 1) == (second["status"], len(second["result"]["urls"]))


def test_a_job_that_is_missing_for_a_while(sandbox, client, completed):
    """
    404 as for an unknown one, then it is there.
    """
    sandbox.add_faults("job:missing*2")

    answers = [client("GET", f"/jobs/{completed}") for _ in range(3)]

    assert [404, 404, 200] == [answer.status for answer in answers]
    assert {"error": "Job not found"} == answers[0].json


def test_a_result_that_is_expired_once(sandbox, client, completed):
    """
    403 and no JSON, as storage says it; then the same URL is good.
    """
    sandbox.add_faults("result:expired")
    url = f"/results/{completed}-image.png"

    expired, good = client("GET", url), client("GET", url)

    assert (403, "application/xml") == (expired.status, expired.headers["Content-Type"])
    assert (64, 48) == opened(good.content).size


@pytest.mark.parametrize(
    ("fault", "part"), [("cut", 0.5), ("cut=100", 100), ("cut=999999999", -1)]
)
def test_a_result_that_is_cut(sandbox, client, completed, fault, part):
    """
    Its whole length is declared; less than that comes, whatever was asked for.
    """
    url = f"/results/{completed}-image.png"
    whole = client("GET", url).content
    sandbox.add_faults(f"result:{fault}")
    wanted = {0.5: len(whole) // 2, -1: len(whole) - 1}.get(part, part)

    with pytest.raises(http.client.IncompleteRead) as caught:
        client("GET", url)
    client.connection.close()

    assert whole[:wanted] == caught.value.partial
    assert len(whole) - wanted == caught.value.expected
    assert whole == client("GET", url).content


def test_a_slow_answer_begins_late(sandbox, client, time):
    """
    The job is there all the same; the answers after it are quick.
    """
    sandbox.add_faults("submit:slow", "submit:slow=2.5")

    answers = [client.submit(), client.submit(), client.submit()]

    assert [200, 200, 200] == [answer.status for answer in answers]
    assert [1.0, 2.5] == time.slept


def test_a_trickle_is_a_byte_a_second(sandbox, client, time):
    """
    The head comes at once, and refusals trickle, too.
    """
    sandbox.add_faults("job:trickle")

    answer = client("GET", f"/jobs/{JOB}")
    client("GET", f"/jobs/{JOB}")

    assert {"error": "Job not found"} == answer.json
    assert [1.0] * len(answer.content) == time.slept


def test_faults_are_set_looked_at_and_taken_away(client):
    """
    Over HTTP, while it runs: one, several, all away; each answer has what is set.
    """
    one = client("POST", "/sandbox/faults", {"fault": "submit:reset-after*2"}).json
    more = client("POST", "/sandbox/faults", {"faults": ["job:404", "any:slow*"]}).json
    seen = client("GET", "/sandbox/faults").json
    away = client("DELETE", "/sandbox/faults").json

    assert {"faults": ["submit:reset-after*2"]} == one
    assert {"faults": ["submit:reset-after*2", "job:404", "any:slow*"]} == more == seen
    assert {"faults": []} == away


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"faults": ["submit:503", "submit:rest"]}, "'rest'"),
        ({"fault": 503}, '{"fault": "..."}'),
        ({"faults": "submit:503"}, '{"fault": "..."}'),
        ({}, '{"fault": "..."}'),
        ("[", "Invalid JSON"),
    ],
)
def test_a_wrong_fault_is_400_and_sets_none(client, body, says):
    """
    The reason is that of the command line.
    """
    answer = client("POST", "/sandbox/faults", body)

    assert 400 == answer.status
    assert says in answer.json["error"]
    assert {"faults": []} == client("GET", "/sandbox/faults").json


def test_what_steers_the_sandbox_is_never_hit(tmp_path):
    """
    Not by a fault for any route; but by a foreign name.
    """
    with Sandbox(tmp_path, faults=["any:503*"]) as sandbox:
        client = Client(sandbox)
        answers = [
            client("GET", "/sandbox/ledger"),
            client("GET", "/sandbox/nothing"),
            client("GET", "/sandbox/faults", host="evil.example"),
            client("GET", "/jobs"),
            client("DELETE", "/sandbox/faults"),
            client("GET", "/jobs"),
        ]
        client.connection.close()

    assert [200, 404, 400, 503, 200, 200] == [answer.status for answer in answers]


def statuses(client, *prompts):
    return [client.submit(**SMALL | {"prompt": prompt}).status for prompt in prompts]


def test_fault_with_skip_comes_after_as_many_good_responses(client, sandbox):
    sandbox.add_faults("submit:503*2+2", "submit:500+1")

    assert [200, 500, 503, 503, 200] == statuses(client, *["a red fox"] * 5)
    assert [] == client("GET", "/sandbox/faults").json["faults"]


def test_fault_with_text_concerns_only_jobs_with_that_prompt(client, sandbox, time):
    sandbox.add_faults("submit:fails*@OWL", "job:503*@owl", "cancel:500*@owl")
    prompts = ["a red fox", "an owl", "two owls", "a cat"]
    made = [client.submit(**SMALL | {"prompt": each}).json for each in prompts]
    time.sleep(3)
    urls = [f"/jobs/{each['job_id']}" for each in made]
    listed = {
        job["job_id"]: job["status"] for job in client("GET", "/jobs").json["items"]
    }

    assert [200, 503, 503, 200] == [client("GET", url).status for url in urls]
    assert [200, 500, 500, 200] == [client("DELETE", url).status for url in urls]
    assert ["completed", "failed", "failed", "completed"] == [
        listed[each["job_id"]] for each in made
    ]


def test_fault_with_text_lets_a_request_without_prompt_pass(client, sandbox):
    sandbox.add_faults("submit:503*@owl", "job:503*@owl")

    assert 400 == client("POST", NANO_BANANA, "no JSON").status
    assert 400 == client("POST", NANO_BANANA, "[]").status
    assert 404 == client("GET", f"/jobs/{JOB}").status


def test_takes_makes_a_job_last_that_long(client, sandbox, time):
    sandbox.add_faults("submit:takes=7")
    slow, usual = client.submit().json["job_id"], client.submit().json["job_id"]

    def seen():
        return [client("GET", f"/jobs/{each}").json["status"] for each in (slow, usual)]

    time.sleep(3)
    assert ["processing", "completed"] == seen()
    time.sleep(4.1)
    assert ["completed", "completed"] == seen()


def test_takes_with_a_range_gives_equal_requests_equal_durations(client, sandbox):
    sandbox.add_faults("submit:takes=1-9*")
    for prompt in ["a red fox", "an owl", "a cat", "a red fox"]:
        client.submit(prompt=prompt)
    fox, cat, owl, again = (job.seconds for job in sandbox.store.jobs())

    assert fox == again
    assert 3 == len({fox, cat, owl})
    assert all(1 <= seconds <= 9 for seconds in (fox, cat, owl))


def test_job_over_the_limit_waits_for_jobs_of_their_own_duration(tmp_path, time):
    limits = JobLimits(job_seconds=2, parallel=1)
    with Sandbox(tmp_path, clock=time.wall, limits=limits) as sandbox:
        client = Client(sandbox)
        sandbox.add_faults("submit:takes=10")
        client.submit()
        second = client.submit().json["job_id"]
        time.sleep(9)
        before = client("GET", f"/jobs/{second}").json["status"]
        time.sleep(3)
        after = client("GET", f"/jobs/{second}").json["status"]
        client.connection.close()

    assert ("backlogged", "completed") == (before, after)


def test_lost_response_in_the_middle_of_many_leaves_its_job(client, sandbox):
    """
    Also while other faults say how the jobs of the same requests are.
    """
    sandbox.add_faults("submit:takes=5*", "submit:reset-after+3", "submit:fails@owl 3")
    answers = [
        ask(client, "POST", NANO_BANANA, SMALL | {"prompt": f"owl {number}"})
        for number in range(6)
    ]
    jobs = {job.fields["prompt"]: job for job in sandbox.store.jobs()}

    assert [3] == [at for at, each in enumerate(answers) if isinstance(each, str)]
    assert {f"owl {number}" for number in range(6)} == jobs.keys()
    assert {5.0} == {job.seconds for job in jobs.values()}
    assert ["owl 3"] == [prompt for prompt, job in jobs.items() if job.failure]
