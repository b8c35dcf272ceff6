from __future__ import annotations

from itertools import islice

import pytest

from krea_cli.api.resources import Job
from krea_cli.errors import (
    RateLimitError,
    ServerFaultError,
    ServiceError,
    TokenRejectedError,
    UsageError,
)
from krea_cli.jobs.polling import delays, poll


class Service:
    """
    Each look at a job gives the next of its statuses, the last one for ever; an error
    is raised.
    """

    def __init__(self, **statuses):
        self.statuses = {job_id: list(each) for job_id, each in statuses.items()}
        self.looks = []

    def __call__(self, job_id):
        self.looks.append(job_id)
        left = self.statuses[job_id]
        status = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(status, Exception):
            raise status
        return Job(job_id=job_id, status=status)


def run(service, time, *, deadline=10_000, **options):
    found = poll(
        list(service.statuses),
        service,
        deadline=deadline,
        clock=time.clock,
        **{"give_up": give_up} | options,
    )
    return [job.status for job in found]


def give_up(job_id, error):
    raise error


def fault():
    return ServerFaultError("x")


def test_each_look_is_yielded_until_the_job_is_final(time):
    """
    Two seconds after the first look, and then slowly up to five.
    """
    service = Service(a=["queued", "processing", "processing", "completed"])

    assert ["queued", "processing", "processing", "completed"] == run(service, time)
    assert [2.0, pytest.approx(2.3), pytest.approx(2.645)] == time.slept


def test_pauses_grow_from_two_to_five_seconds():
    """
    As the service advises, and however long it goes on.
    """
    first = [round(delay, 2) for delay in islice(delays(), 10)]

    assert [2.0, 2.3, 2.64, 3.04, 3.5, 4.02, 4.63, 5.0, 5.0, 5.0] == first
    assert 5.0 == next(islice(delays(), 20_000, None))


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_final_job_is_looked_at_once(time, status):
    """
    A final status stays.
    """
    assert ([status], []) == (run(Service(a=[status]), time), time.slept)


def test_a_job_that_was_just_submitted_is_given_time(time):
    """
    Nothing can have become of it yet.
    """
    run(Service(a=["completed"]), time, pauses_first=True)

    assert [2.0] == time.slept


def test_no_jobs_need_no_looks(time):
    """
    And no time.
    """
    assert ([], []) == (run(Service(), time), time.slept)


def test_the_deadline_ends_it_and_is_kept_to_the_second(time):
    """
    With a last look right then.
    """
    service = Service(a=["processing"])

    statuses = run(service, time, deadline=10)

    assert (10, 6) == (time.elapsed, len(statuses))


def test_the_deadline_counts_for_the_first_pause_too(time):
    """
    A second is not made two.
    """
    run(Service(a=["processing"]), time, deadline=1, pauses_first=True)

    assert 1 == time.elapsed


def test_a_deadline_that_has_passed_allows_one_look(time):
    """
    What is ready is found.
    """
    time.elapsed = 50

    assert ["completed"] == run(Service(a=["completed"]), time, deadline=10)
    assert ["queued"] == run(Service(b=["queued"]), time, deadline=10)
    assert [] == time.slept


@pytest.mark.parametrize("status", ["aborted", "", "intermediate-complete", "😴"])
def test_a_status_that_is_not_final_is_waited_on(time, status):
    """
    Until the deadline, and not for ever (hazard L1).
    """
    assert {status} == set(run(Service(a=[status]), time, deadline=60))
    assert 60 == time.elapsed


def test_a_look_that_fails_is_made_again(time):
    """
    Twenty scattered faults are no failure (hazard L2).
    """
    statuses = [fault(), "processing"] * 20 + ["completed"]

    assert "completed" == run(Service(a=statuses), time)[-1]


def test_five_minutes_of_faults_are_too_much(time):
    """
    One after the other, without a good look between.
    """
    with pytest.raises(ServiceError):
        run(Service(a=["processing", fault()]), time)

    assert 300 <= time.elapsed - 2 <= 305


def test_a_good_look_starts_the_five_minutes_anew(time):
    """
    The service is there after all.
    """
    statuses = [*[fault()] * 60, "processing", *[fault()] * 60, "completed"]

    assert ["processing", "completed"] == run(Service(a=statuses), time)
    assert time.elapsed > 500


def test_faults_at_the_deadline_are_no_failure(time):
    """
    The time is up and the job was not seen: it goes on, and must not be paid again.
    """
    assert [] == run(Service(a=[fault()]), time, deadline=20)


def test_another_error_ends_it_at_once(time):
    """
    A rejected token is not tried again (hazard L4).
    """
    service = Service(a=["queued", TokenRejectedError("x")])

    with pytest.raises(TokenRejectedError):
        run(service, time)

    assert 2 == len(service.looks)


def test_of_several_only_the_running_ones_are_looked_at(time):
    """
    Each in its turn, in the order given.
    """
    service = Service(a=["queued", "completed"], b=["failed"], c=["queued", "failed"])

    run(service, time)

    assert ["a", "b", "c", "a", "c"] == service.looks


def test_a_fault_with_one_job_keeps_no_other_waiting(time):
    """
    The rest of the round goes on.
    """
    service = Service(a=[fault(), "completed"], b=["completed"])

    run(service, time)

    assert ["a", "b", "a"] == service.looks


def test_many_jobs_are_no_flood(time):
    """
    Fifty jobs for a minute are at most five looks a second (hazard L8).
    """
    service = Service(**{f"j{n}": ["processing"] for n in range(50)})

    run(service, time, deadline=60)

    assert [10.0] * 6 == time.slept
    assert len(service.looks) <= 5 * 60 + 50


def test_the_wall_clock_may_jump(time):
    """
    Only the monotonic one counts (hazard L6).
    """
    clock = time.clock
    jumps = iter(range(10**6))
    jumping = type(clock)(
        now=clock.now, sleep=clock.sleep, wall=lambda: next(jumps) * 86_400
    )
    service = Service(a=["processing"])

    list(poll(["a"], service, deadline=10, clock=jumping, give_up=give_up))

    assert (10, 6) == (time.elapsed, len(service.looks))


def test_a_job_that_is_given_up_keeps_no_other_waiting(time):
    """
    Five minutes of faults, or a refusal, end the looks at that job alone (hazard J6).
    """
    given_up = []
    service = Service(
        a=[fault()], b=[UsageError("refused")], c=[*["queued"] * 200, "completed"]
    )

    statuses = run(service, time, give_up=lambda job_id, _: given_up.append(job_id))

    assert ["b", "a"] == given_up
    assert "completed" == statuses[-1]


def test_a_service_that_asks_for_too_much_time_is_given_up_at_once(time):
    """
    What it asks for lies beyond the deadline (hazard N7).
    """
    busy = RateLimitError("x")
    busy.retry_after = 1e9

    with pytest.raises(RateLimitError):
        run(Service(a=[busy]), time, deadline=20)

    assert [] == time.slept
