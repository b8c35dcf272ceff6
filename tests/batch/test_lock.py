"""
Any union of locks is a lock.
"""

from __future__ import annotations

import json

import pytest
from batch.lines import SERVICE, identity, image, line
from hypothesis import given, settings
from hypothesis import strategies as st

from krea_cli.batch.lock import Lock, LockSyntaxError, merged, parse_lines

JOB_STATES = ("submitted", "completed", "failed", "cancelled")


@st.composite
def histories(draw):
    """
    What several machines may have written about a few requests: a request has one
    record, and that has one job at most.
    """
    number = draw(st.integers(1, 6))
    state = draw(st.sampled_from([*JOB_STATES, "unconfirmed", "closed"]))
    has_job = state in JOB_STATES
    return line(
        draw(st.sampled_from(["a.png", "b.png"])),
        state,
        prompt=f"prompt {number % 2}",
        attempt=1 + number % 3,
        record=f"r{number}",
        job=f"job-{number}" if has_job else None,
        service=SERVICE if number < 6 else "sandbox",
        usd=number / 100,
        at=f"2026-11-28T10:00:0{draw(st.integers(0, 3))}Z",
        files=(),
    )


LOCKS = st.lists(histories(), max_size=12)


@settings(max_examples=40, deadline=None)
@given(LOCKS, st.randoms(use_true_random=False))
def test_merged_order_and_repetition_do_not_matter(lines, random):
    shuffled = [*lines, *random.sample(lines, random.randint(0, len(lines)))]
    random.shuffle(shuffled)

    assert merged(lines) == merged(shuffled)


@settings(max_examples=40, deadline=None)
@given(LOCKS, LOCKS, LOCKS)
def test_merged_union_of_locks_is_a_lock(first, second, third):
    whole = merged([*first, *second, *third])

    assert whole == merged([*merged([*third, *first]), *merged(second)])
    assert whole == merged(whole)


@settings(max_examples=40, deadline=None)
@given(LOCKS, LOCKS)
def test_merged_union_never_forgets_a_job_or_counts_one_twice(first, second):
    both = [*first, *second]
    lock = Lock.of(both, SERVICE)
    jobs = {each.job for each in both if each.job and each.service == SERVICE}

    assert jobs == {each.job for each in lock.lines if each.job}
    assert lock.spent_usd() <= sum({each.usd for each in both}) + 1e-9
    assert lock.spent_usd() == Lock.of(merged(both), SERVICE).spent_usd()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["submitted", "completed"], "completed"),
        (["failed", "submitted"], "failed"),
        (["cancelled", "submitted"], "cancelled"),
        (["submitted"], "submitted"),
    ],
)
def test_merged_of_one_job_keeps_how_it_ended(states, expected):
    lines = [line(state=state) for state in states]

    assert [expected] == [each.state for each in merged(lines)]


@pytest.mark.parametrize("state", ["submitted", "closed", "failed"])
def test_merged_job_or_closed_beats_unconfirmed(state):
    lines = [line(state="unconfirmed"), line("other.png", state)]

    assert [state] == [each.state for each in merged(lines)]


def test_matching_best_of_the_highest_attempt_counts():
    lines = [
        line(state="completed", job="j1", record="r1"),
        line(state="failed", job="j2", record="r2", attempt=2),
        line(state="submitted", job="j3", record="r3", attempt=2),
        line(state="unconfirmed", record="r4", attempt=2),
        line(state="closed", record="r5", attempt=3),
    ]

    found = Lock.of(lines, SERVICE).matching(identity())

    assert ["j3", None, "j2", "j1"] == [each.job for each in found]


def test_matching_job_that_ended_for_one_output_ended_for_all():
    lines = [line("a.png", "completed"), line("b.png", "submitted")]

    found = Lock.of(lines, SERVICE).of_output("b.png")

    assert ["completed"] == [each.state for each in found]


def test_matching_needs_one_of_both_hashes_of_each_input():
    stored = identity(inputs=[image("1", sent="s1"), image("2", sent="s2")])
    lock = Lock.of([line(identity=stored)], SERVICE)

    def is_found(*inputs):
        return bool(lock.matching(identity(inputs=inputs)))

    assert is_found(image("1", sent="x"), image("y", sent="s2"))
    assert not is_found(image("1", sent="x"), image("y", sent="z"))
    assert not is_found(image("2", sent="s2"), image("1", sent="s1"))
    assert not is_found(image("1", sent="s1"))


def test_matching_prompt_that_is_kept_as_a_hash():
    lock = Lock.of([line().without_prompts()], SERVICE)

    assert "owl" not in lock.lines[0].text.replace("owl.png", "")
    assert lock.matching(identity())
    assert not lock.matching(identity("a cat"))


def test_lock_of_another_service_does_not_count():
    lock = Lock.of([line(service="sandbox")], SERVICE)

    assert not lock.matching(identity())
    assert 0 == lock.spent_usd()
    assert not lock.is_known("job-1")


def test_spent_usd_counts_each_job_once_and_none_that_is_not_billed():
    lines = [
        line("a.png", job="j1"),
        line("b.png", job="j1"),
        line("c.png", "submitted", job="j2", record="r2"),
        line("d.png", "unconfirmed", record="r3"),
        line("e.png", "failed", job="j4", record="r4"),
        line("f.png", "closed", record="r5"),
    ]

    assert pytest.approx(0.45) == Lock.of(lines, SERVICE).spent_usd()


def test_line_survives_its_text():
    given_line = line(identity=identity(inputs=[image("1", sent="s1")]))

    [(number, found)] = parse_lines(f"\n{given_line.text}\r\n")

    assert (2, given_line) == (number, found)
    assert given_line.key == found.identity.key


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"v": 2}, ""),
        ({"v": None}, "unknown state"),
        ({"state": "done"}, "unknown state 'done'"),
        ({"key": None}, "key is missing"),
        ({"request": []}, "request, attempt"),
        ({"attempt": True}, "request, attempt"),
        ({"usd": "1"}, "usd or job"),
        ({"inputs": {}}, "inputs is not a list"),
        ({"files": [{"path": "x"}]}, "no sha256"),
    ],
)
def test_line_that_krea_did_not_write_is_refused(change, expected):
    text = json.dumps(line().as_json() | change)

    with pytest.raises(LockSyntaxError) as caught:
        list(parse_lines(f"{line().text}\n{text}"))

    assert 2 == caught.value.number
    assert expected in str(caught.value.reason)


def test_line_of_a_lock_in_another_folder_has_its_paths():
    from krea_cli.batch.lock import rebased

    found = rebased(line("out/a.png"), "../spring")

    assert "../spring/out/a.png" == found.output == found.files[0].path
