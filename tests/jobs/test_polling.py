from __future__ import annotations

from itertools import islice

import pytest
from conftest import FakeTime
from hypothesis import given
from hypothesis import strategies as st

from krea_cli.api.models import FINISHED_STATUSES, RUNNING_STATUSES, Job
from krea_cli.errors import (
    ConnectionFailedError,
    InvalidResponseError,
    JobDeletedError,
    RateLimitError,
    ServerError,
    TokenRejectedError,
    UsageError,
)
from krea_cli.jobs.polling import Poller, retry_delays

URLS = ("https://k.test/1.png",)
EMPTY = "completed without a result"


class Service:
    """
    Each look at a job gives the next of its statuses, the last one for ever; an error
    is raised.  A look takes `seconds`.
    """

    def __init__(self, time, *, seconds=0.0, **statuses):
        self.statuses = {job_id: list(each) for job_id, each in statuses.items()}
        self.looks = []
        self._time = time
        self._seconds = seconds

    @property
    def jobs(self):
        return [Job(job_id=job_id, status="queued") for job_id in self.statuses]

    def __call__(self, job_id):
        self._time.elapsed += self._seconds
        self.looks.append((job_id, round(self._time.elapsed, 1)))
        left = self.statuses[job_id]
        status = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(status, Exception):
            raise status
        return seen(job_id, status)


def seen(job_id, status):
    if status == EMPTY:
        return Job(job_id=job_id, status="completed")
    return Job(job_id=job_id, status=status, urls=URLS if status == "completed" else ())


def run(service, time, *, jobs=None, deadline=10_000, clock=None, **options):
    """
    With a look each two seconds, as long as there is no trouble.
    """
    poller = Poller(
        service,
        deadline=deadline,
        clock=clock or time.clock,
        **{"seconds_until_next_poll": lambda job_id: 2.0} | options,
    )
    for job in service.jobs if jobs is None else jobs:
        poller.add(job)
    looks = []
    while not poller.is_over:
        poller.sleep()
        looks += poller.poll()
    return looks


def told(looks):
    """
    The statuses, and the words of errors.
    """
    return [str(look.error) if look.error else look.job.status for look in looks]


def given_up(looks):
    return [look.job.job_id for look in looks if look.is_given_up]


def fault():
    return ServerError("fault")


def test_each_look_is_yielded_until_the_job_is_final(time):
    """
    The first after a pause, too, as the job has just been seen.
    """
    service = Service(time, a=["queued", "processing", "processing", "completed"])

    looks = run(service, time)

    assert ["queued", "processing", "processing", "completed"] == told(looks)
    assert [("a", 2.0), ("a", 4.0), ("a", 6.0), ("a", 8.0)] == service.looks


def test_pauses_in_trouble_grow_from_two_to_five_seconds():
    """
    However long it goes on.
    """
    first = [round(delay, 2) for delay in islice(retry_delays(), 10)]

    assert [2.0, 2.3, 2.64, 3.04, 3.5, 4.02, 4.63, 5.0, 5.0, 5.0] == first
    assert 5.0 == next(islice(retry_delays(), 20_000, None))


@pytest.mark.parametrize("status", sorted(FINISHED_STATUSES))
def test_a_final_job_is_not_looked_at(time, status):
    """
    Nothing comes after a final status, and no time goes by.
    """
    service = Service(time, a=["processing"])

    assert [] == run(service, time, jobs=[seen("a", status)])
    assert ([], 0) == (service.looks, time.elapsed)


@given(
    st.lists(
        st.sampled_from(
            [*sorted(FINISHED_STATUSES | RUNNING_STATUSES), EMPTY, "aborted", fault()]
        ),
        min_size=1,
        max_size=12,
    )
)
def test_a_final_status_stays(statuses):
    """
    Whatever the service says afterwards.
    """
    time = FakeTime()
    looks = run(Service(time, a=statuses), time, deadline=60)
    seen_statuses = [look.job.status for look in looks]
    final = [status for status in seen_statuses if status in FINISHED_STATUSES]

    assert final[:1] * len(final) == final
    assert not final or final == seen_statuses[-len(final) :]


def test_the_deadline_ends_it_and_is_kept_to_the_second(time):
    """
    With a last look right then.
    """
    service = Service(time, a=["processing"])

    looks = run(service, time, deadline=10)

    assert (10, 5) == (time.elapsed, len(looks))
    assert ("a", 10.0) == service.looks[-1]


def test_the_deadline_counts_for_the_first_pause_too(time):
    """
    A second is not made two.
    """
    looks = run(Service(time, a=["processing"]), time, deadline=1)

    assert (1, 1) == (time.elapsed, len(looks))


def test_a_deadline_that_has_passed_allows_one_look(time):
    """
    What is ready is found.
    """
    time.elapsed = 50

    assert ["completed"] == told(run(Service(time, a=["completed"]), time, deadline=10))
    assert ["queued"] == told(run(Service(time, b=["queued"]), time, deadline=10))
    assert [] == time.slept


@pytest.mark.parametrize("status", ["aborted", "", "intermediate-complete", "😴"])
def test_a_status_that_is_not_final_is_waited_on(time, status):
    """
    Until the deadline, and not for ever.
    """
    looks = run(Service(time, a=[status]), time, deadline=60)

    assert {status} == set(told(looks))
    assert 60 == time.elapsed


def test_results_may_come_late(time):
    """
    A job that is completed without one is looked at again.
    """
    service = Service(time, a=[EMPTY, EMPTY, "completed"])

    looks = run(service, time)

    assert [(), (), URLS] == [look.job.urls for look in looks]


def test_results_that_do_not_come_are_looked_for_three_times(time):
    """
    After the first look that missed them, whoever made it; what is said of the job
    meanwhile does not count, as it is final.
    """
    service = Service(time, a=[EMPTY, "processing", "failed", EMPTY, "completed"])
    looks = run(service, time)
    again = Service(time, a=[EMPTY])
    run(again, time, jobs=[seen("a", EMPTY)])

    assert ["completed"] * 4 == told(looks)
    assert not any(look.job.urls for look in looks)
    assert 3 == len(again.looks)


def test_a_look_that_fails_is_made_again(time):
    """
    Twenty scattered faults are no failure, and each is told.
    """
    looks = run(Service(time, a=[fault(), "processing"] * 20 + ["completed"]), time)

    assert ["fault", "processing"] * 20 + ["completed"] == told(looks)
    assert [] == given_up(looks)


def test_five_minutes_of_faults_are_too_much(time):
    """
    One after the other, without a good look between.
    """
    looks = run(Service(time, a=["processing", fault()]), time)

    assert ["a"] == given_up(looks)
    assert 300 <= time.elapsed - 4 <= 305


def test_a_good_look_starts_the_five_minutes_anew(time):
    """
    The service is there after all.
    """
    statuses = [*[fault()] * 60, "processing", *[fault()] * 60, "completed"]

    looks = run(Service(time, a=statuses), time)

    assert ([], "completed") == (given_up(looks), looks[-1].job.status)
    assert time.elapsed > 500


def test_a_host_that_is_silent_for_a_while_is_waited_for(time):
    """
    After a sleep of the machine its network may be away a little longer.
    """
    silent = ConnectionFailedError("silent")
    silent.retry_after = float("inf")

    looks = run(Service(time, a=[silent, silent, "completed"]), time)

    assert ["silent", "silent", "completed"] == told(looks)


def test_faults_at_the_deadline_are_no_failure(time):
    """
    The time is up and the job was not seen: it goes on, and must not be paid again.
    """
    looks = run(Service(time, seconds=0.7, a=[fault()]), time, deadline=20)

    assert 20 < time.elapsed
    assert [] == given_up(looks)
    assert {"queued"} == {look.job.status for look in looks}


def test_another_error_ends_it_at_once(time):
    """
    A rejected token is not tried again.
    """
    service = Service(time, a=["queued", TokenRejectedError("x")])

    with pytest.raises(TokenRejectedError):
        run(service, time)

    assert 2 == len(service.looks)


def test_of_several_only_the_running_ones_are_looked_at(time):
    """
    Each in its turn, in the order given.
    """
    service = Service(
        time, a=["queued", "completed"], b=["failed"], c=["queued", "failed"]
    )

    run(service, time)

    assert ["a", "b", "c", "a", "c"] == [job_id for job_id, _ in service.looks]


def test_each_job_is_looked_at_when_it_is_worth_it(time):
    """
    A slow one costs no looks because there is a fast one beside it.
    """
    service = Service(time, slow=["queued", "completed"], fast=["queued"] * 3)

    pause = {"slow": 5.0, "fast": 3.0}.__getitem__
    looks = run(service, time, deadline=13, seconds_until_next_poll=pause)

    assert ["queued"] * 4 + ["completed"] + ["queued"] * 2 == told(looks)
    assert [3, 5, 6, 9, 10, 12, 13] == [at for _, at in service.looks]


def test_a_fault_with_one_job_keeps_no_other_waiting(time):
    """
    The rest of the round goes on.
    """
    service = Service(time, a=[fault(), "completed"], b=["completed"])

    run(service, time)

    assert ["a", "b", "a"] == [job_id for job_id, _ in service.looks]


def test_one_may_be_enough(time):
    """
    The round goes on to its end, so that all that ended by then are found.
    """
    service = Service(
        time, a=["queued"], b=["queued", "failed"], c=["queued", "completed"], d=["x"]
    )

    looks = run(service, time, is_one_enough=True)

    assert ["queued", "failed", "completed", "x"] == told(looks[-4:])
    assert 4.0 == pytest.approx(time.elapsed)


def test_one_that_ended_has_the_others_looked_at_once_more(time):
    """
    Also those whose turn had not come: they may have ended by then.
    """
    service = Service(time, slow=["completed"], fast=["completed"], last=["queued"])

    looks = run(
        service,
        time,
        seconds_until_next_poll={"slow": 5.0, "fast": 3.0, "last": 4.0}.__getitem__,
        is_one_enough=True,
    )

    assert ["completed", "completed", "queued"] == told(looks)
    assert [("fast", 3.0), ("slow", 3.0), ("last", 3.0)] == service.looks


def test_one_that_has_ended_already_is_enough(time):
    """
    Without another look at the others.
    """
    jobs = [Job(job_id="a", status="queued"), seen("b", "cancelled")]

    assert [] == run(Service(time, a=["queued"]), time, jobs=jobs, is_one_enough=True)


def test_one_without_its_result_is_not_enough_yet(time):
    """
    It may come with the next look.
    """
    service = Service(time, a=["queued"], b=[EMPTY, "completed"])

    looks = run(service, time, is_one_enough=True)

    assert URLS == looks[-1].job.urls


def test_the_wall_clock_may_jump(time):
    """
    Only the monotonic one counts: a jump back is nothing, one ahead is a look that
    comes sooner.
    """
    still, clock_skew = [2.0, 4.0, 6.0, 8.0, 10.0], [2.0, 3.0, 5.0, 7.0, 9.0, 10.0]
    for jump, expected in ((0, still), (-86_400, still), (86_400, clock_skew)):
        time.elapsed = 0
        service = Service(time, a=["processing"])
        run(service, time, deadline=10, clock=_jumping(time, at=3, by=jump))

        assert expected == [at for _, at in service.looks]


def test_a_machine_that_slept_looks_at_once(time):
    """
    The monotonic clock stood still meanwhile: not the rest of the pause,
    but one second at most goes by until the next look.
    """
    service = Service(time, a=["processing"] * 10 + ["completed"])
    run(service, time, clock=_jumping(time, at=20.5, by=3600))

    assert [18.0, 20.0, 21.0] == [at for _, at in service.looks[8:]]


def test_a_job_that_is_given_up_keeps_no_other_waiting(time):
    """
    Five minutes of faults, a refusal, or that it is gone, end the looks at that job
    alone.
    """
    service = Service(
        time,
        a=[fault()],
        b=[UsageError("refused")],
        c=[*["queued"] * 200, "completed"],
        d=[JobDeletedError("gone")],
    )

    looks = run(service, time)

    assert ["b", "d", "a"] == given_up(looks)
    assert "completed" == looks[-1].job.status


def test_a_service_that_asks_for_too_much_time_is_given_up_at_once(time):
    """
    What it asks for lies beyond the deadline.
    """
    busy = RateLimitError("busy")
    busy.retry_after = 1e9
    service = Service(time, a=[busy])

    looks = run(service, time, deadline=20)

    assert (["a"], 1) == (given_up(looks), len(service.looks))


def test_a_service_that_asks_for_time_is_left_alone(time):
    """
    For so long; that it is waited for is told at each time when a look would be.
    """
    busy = RateLimitError("busy")
    busy.retry_after = 60
    service = Service(time, a=[busy, "completed"])

    looks = run(service, time)

    assert ["busy"] * (len(looks) - 1) + ["completed"] == told(looks)
    assert ("a", 2.0) == service.looks[0]
    assert 62 <= service.looks[1][1] <= 67
    assert len(looks) > 10


def test_looks_that_take_long_end_at_the_deadline(time):
    """
    The round of many jobs is not finished after it.
    """
    service = Service(time, seconds=3.0, **{f"j{n}": ["processing"] for n in range(50)})

    run(service, time, deadline=20)

    assert 20 <= time.elapsed < 23


def _jumping(time, *, at, by):
    """
    A clock whose wall jumps once.
    """
    return time.clock._replace(wall=lambda: time.wall() + by * (time.elapsed >= at))


class ManyLooks:
    """
    A list of the service: at each look the jobs of `statuses`, or an error.
    """

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, job_ids):
        self.asked.append(len(job_ids))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {job_id: seen(job_id, answer) for job_id in job_ids}


def many(time, count=11):
    return Service(time, **{f"j{n}": ["completed"] for n in range(count)})


def test_poller_many_jobs_are_fetched_together(time):
    service, together = many(time), ManyLooks("queued", "processing", "completed")

    looks = run(service, time, fetch_many=together)

    assert ([11, 11, 11], []) == (together.asked, service.looks)
    assert 11 == told(looks).count("completed")


def test_poller_few_jobs_are_fetched_one_by_one(time):
    service, together = many(time, 10), ManyLooks("completed")

    run(service, time, fetch_many=together)

    assert ([], 10) == (together.asked, len(service.looks))


def test_poller_last_poll_is_of_all_jobs_together(time):
    service, together = many(time, 2), ManyLooks("completed")

    looks = run(service, time, fetch_many=together, deadline=1.0)

    assert ([2], []) == (together.asked, service.looks)
    assert ["completed", "completed"] == told(looks)


def test_poller_many_jobs_stay_together_when_few_are_left(time):
    """
    The list costs one request, however many there are.
    """
    service, together = many(time), ManyLooks("processing")
    service.statuses = {each: ["processing"] for each in service.statuses}

    def most_are_done(job_ids):
        found = together(job_ids)
        done = [each for each in job_ids if each not in ("j0", "j1")]
        return found | {each: seen(each, "completed") for each in done}

    run(service, time, fetch_many=most_are_done, deadline=20)

    assert 11 == together.asked[0]
    assert {2} == set(together.asked[1:])
    assert [] == service.looks


@pytest.mark.parametrize("error", [InvalidResponseError("x"), UsageError("x")])
def test_poller_list_that_cannot_be_read_is_not_asked_again(time, error):
    service, together = many(time), ManyLooks(error)
    service.statuses["j0"] = ["processing", "completed"]

    looks = run(service, time, fetch_many=together)

    assert ([11], 12) == (together.asked, len(service.looks))
    assert [] == given_up(looks)


def test_poller_list_that_is_down_is_told_of_each_job_and_asked_again(time):
    service, together = many(time), ManyLooks(ServerError("down"), "completed")

    looks = run(service, time, fetch_many=together)

    assert ["down"] * 11 + ["completed"] * 11 == told(looks)
    assert [] == service.looks
