"""
Many jobs in one process.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from service import answer, job, reset_after

from krea_cli.jobs.submit_throttle import INITIAL_CONCURRENCY, MAX_CONCURRENCY
from krea_cli.sandbox.http_handler import SandboxHandler

POST = "POST /generate/"
RESULT = "GET /results/"


def test_many_are_sent_looked_at_and_saved_at_once(logged_in, service, photo):
    """
    Forty jobs of one upload: several requests on their way at once, each sent once; a
    list tells of all; every result has a name of its own, told in the order in which
    `@last` has the jobs.  A log gets a line for each file, and for no other change.
    """
    lock, under_way, most = threading.Lock(), set(), [0]
    meeting = threading.Barrier(INITIAL_CONCURRENCY)

    def counted(handler):
        with lock:
            under_way.add(handler)
            most.append(len(under_way))
        if len(most) <= 2 + INITIAL_CONCURRENCY:
            # The first is alone; those that follow meet.
            meeting.wait(10) if len(most) > 2 else None
        with lock:
            under_way.discard(handler)
        SandboxHandler.handle_route(handler, "POST", handler.path)

    service.faults[POST] = [counted] * 40

    result = logged_in("generate", "an owl", "-i", photo, "-n", "40", "-o", "owls/")
    last = logged_in("status", "@last").out

    paths = result.out.split()
    assert (0, 40, 40) == (result.code, service.bills, len(set(paths)))
    assert all(Path(path).is_file() for path in paths)
    ids = [line.split()[0] for line in last.splitlines()]
    assert [f"owls/{id_}-{at}.png" for at, id_ in enumerate(ids, 1)] == paths
    saved = re.findall(r"(?m)^saved (\S+); \d+/40 saved", result.err)
    assert sorted(paths) == sorted(saved)
    assert 40 == sum(result.err.count(id_) for id_ in ids)
    assert INITIAL_CONCURRENCY <= max(most) <= MAX_CONCURRENCY
    assert 1 == len(service.requests("POST /assets"))
    # The list, and looks at the first while there were few.
    assert len(service.requests("GET /jobs")) < 20


def test_a_service_that_is_full_gets_no_request_twice(logged_in, service, time):
    """
    It refuses half of what it is sent: all is sent again after the time that it asked
    for, none is lost, and none is paid for twice.  A log is told so once in half a
    minute.
    """
    busy = answer(429, {"error": "busy"}, {"Retry-After": "3"})
    service.faults[POST] = [None, None, busy, busy] * 10

    result = logged_in("generate", "an owl", "-n", "20", "--no-wait")

    ids = result.out.split()
    assert (0, 20) == (result.code, service.bills)
    assert 20 == len(set(ids))
    assert logged_in("jobs", "list").out.count("\n") == 20
    assert time.elapsed >= 3
    assert 1 <= result.err.count("Retrying") <= 1 + time.elapsed // 30


def test_several_in_doubt_are_each_told(logged_in, service):
    """
    Two answers are lost at once: nothing more is sent, both are named with the command
    that looks for them, and what was taken is saved.
    """
    meeting = threading.Barrier(2)

    def lost(handler):
        meeting.wait(10)
        reset_after(handler)

    service.faults[POST] = [None, lost, lost]

    result = logged_in("generate", "an owl", "-n", "30", "-o", "owls/")

    found = logged_in("jobs", "recover", "--json").out.splitlines()
    saved = result.out.split()
    assert (11, 2) == (result.code, len(found))
    assert 2 == result.err.count("you will be billed")
    assert len(saved) == service.bills - 2 == len(service.requests(POST)) - 2
    assert service.bills <= MAX_CONCURRENCY + 2


def test_what_is_not_in_the_list_is_looked_at_by_itself(logged_in, service):
    """
    A list without one of the jobs, or with some that lack their result, hides nothing.
    """
    made = logged_in("generate", "an owl", "-n", "12", "--no-wait").out.split()
    late = job(status="completed", result={})

    def partly(handler):
        found = [each for each in service.store.jobs() if each.job_id != made[3]]
        now = service.store.now()
        items = [each.as_response(now, handler.base_url) for each in found]
        for item in items:
            if item["job_id"] in made[5:8]:
                item["result"] = None
        answer(200, {"items": items, "next_cursor": None})(handler)

    service.faults[f"GET /jobs/{made[5]}"] = [late]
    original = type(service).handler_class._list_jobs
    try:
        type(service).handler_class._list_jobs = partly
        result = logged_in("wait", *made, "-o", "owls/")
    finally:
        type(service).handler_class._list_jobs = original

    assert (0, 12) == (result.code, len(result.out.split()))
    asked = {one.path.rpartition("/")[2] for one in service.requests("GET /jobs/")}
    assert asked == {made[3], *made[5:8]}


def test_a_list_that_asks_for_time_gets_it(logged_in, service, time):
    """
    None of the jobs is asked for meanwhile, together or alone.
    """
    made = logged_in("generate", "an owl", "-n", "12", "--no-wait").out.split()
    service.faults["GET /jobs"] = [None, answer(429, {}, {"Retry-After": "50"})]

    result = logged_in("wait", *made)

    assert (0, 12) == (result.code, result.out.count("\tcompleted\n"))
    assert 3 == len(service.requests("GET /jobs"))
    assert time.elapsed >= 50


def test_the_same_hint_is_told_once_of_many(logged_in, service):
    """
    All of twelve go on, and each hint would name all of them.
    """
    service.faults["GET /jobs"] = [answer(502)] * 999
    words = ("-n", "12", "-o", "owls/", "--timeout", "9s")

    result = logged_in("generate", "an owl", *words)

    assert 8 == result.code
    errors = re.findall(
        r"^error: .* Job (\S+) .*\(status: queued\)", result.err, re.MULTILINE
    )
    assert 12 == len(set(errors))
    last = result.err.rpartition("hint:")[2]
    assert re.search(": krea wait @[0-9a-f]{8}\n", last)
    assert 1 == result.err.count("hint:")


def test_a_service_without_a_list_is_asked_for_each(logged_in, service):
    """
    What the list answers is no JSON.
    """
    made = logged_in("generate", "an owl", "-n", "12", "--no-wait").out.split()

    def no_list(handler):
        if handler.path.partition("?")[0] == "/jobs":
            return answer(404, {"error": "Not found"})(handler)
        return SandboxHandler.handle_route(handler, "GET", handler.path)

    service.faults["GET /jobs"] = [no_list] * 99

    result = logged_in("wait", *made)

    assert (0, 12) == (result.code, result.out.count("\tcompleted\n"))
