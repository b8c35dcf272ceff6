"""
Parts of a plan: shards, named outputs, the first few.
"""

from __future__ import annotations

from itertools import chain

import pytest
from batch.lines import SERVICE, line, wanted
from hypothesis import given, settings
from hypothesis import strategies as st

from krea_cli.batch.lock import Lock
from krea_cli.batch.plan import Planner
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.selection import (
    Shard,
    collecting,
    in_shard,
    limited,
    limited_in_shards,
    only,
    shards_of,
)
from krea_cli.errors import UsageError


@pytest.fixture
def plan(tmp_path):
    def make(items, lines=()):
        return Planner(
            lock=Lock.of(lines, SERVICE),
            disk=ResultsOnDisk(tmp_path),
            source="pictures.toml",
        ).plan(items)

    return make


def outputs(plan):
    return [step.output for step in plan.steps]


@st.composite
def batches(draw):
    """
    Items of which some ask for the same, and some take the output of earlier ones.
    """
    items = []
    for number in range(draw(st.integers(1, 12))):
        needs = draw(st.lists(st.sampled_from(items), max_size=2)) if items else []
        needs = list({each.item.output: each for each in needs}.values())
        prompt = f"prompt {draw(st.integers(0, 6))}"
        items.append(wanted(f"{number}.png", prompt, needs=needs))
    return items


@settings(max_examples=40, deadline=None)
@given(batches(), st.integers(1, 6))
def test_shards_are_disjoint_complete_and_keep_together_what_is_tied(
    tmp_path_factory, items, count
):
    whole = Planner(
        lock=Lock(), disk=ResultsOnDisk(tmp_path_factory.getbasetemp()), source="x"
    ).plan(items)
    numbers = shards_of(whole, count)
    shards = [in_shard(whole, numbers, index) for index in range(1, count + 1)]

    assert sorted(outputs(whole)) == sorted(chain.from_iterable(map(outputs, shards)))
    for shard in shards:
        there = set(outputs(shard))
        keys = {step.planned.key for step in shard.steps}
        assert all(there >= set(s.planned.item.needs.values()) for s in shard.steps)
        assert there >= {each.item.output for each in items if each.key in keys}
        assert there >= {step.same_as for step in shard.steps if step.same_as}


def test_shards_do_not_depend_on_the_lock_or_the_order(plan):
    items = [wanted(f"{number}.png", f"prompt {number}") for number in range(40)]
    lines = [line("3.png", prompt="prompt 3", key="key of an older krea")]

    one, two = plan(items), plan(items[::-1], lines)
    first = in_shard(one, shards_of(one, 5), 2)
    other = in_shard(two, shards_of(two, 5), 2)

    assert 2 <= len(first.steps) <= 20
    assert sorted(outputs(first)) == sorted(outputs(other))


@pytest.mark.parametrize("text", ["0/5", "6/5", "1", "1/0", "a/b", "-1/5", "1/5/2"])
def test_shard_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="is not a shard"):
        Shard.parse(text)


def test_shard_is_parsed():
    assert Shard(5, 5) == Shard.parse(" 5/5 ")


def chained():
    first = wanted("a.png", "a")
    second = wanted("b.png", "b", needs=[first])
    return [second, first, wanted("c.png", "c"), wanted("d.png", "c")]


def test_only_takes_what_is_named_and_what_that_needs(plan):
    found = plan(chained())

    assert ["b.png", "a.png"] == outputs(only(found, ["./b.png"]))
    assert ["a.png"] == outputs(only(found, ["a*"]))
    with pytest.raises(UsageError, match=r"--only e\.png: no output"):
        only(found, ["a.png", "e.png"])


def test_only_pays_for_a_shared_job_whose_first_item_is_left_out(plan):
    [step] = only(plan(chained()), ["d.png"]).steps

    assert (None, 0.15, True) == (step.same_as, step.usd, step.is_paid)


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, []),
        (1, []),
        (2, ["b.png", "a.png"]),
        (3, ["b.png", "a.png", "c.png", "d.png"]),
    ],
)
def test_limited_makes_the_first_ones_with_what_they_need(plan, most, expected):
    assert expected == outputs(limited(plan(chained()), most))


@settings(max_examples=40, deadline=None)
@given(batches(), st.integers(1, 4), st.integers(0, 3))
def test_limit_counts_the_jobs_of_each_shard_and_moves_nothing(
    tmp_path_factory, items, count, most
):
    whole = Planner(
        lock=Lock(), disk=ResultsOnDisk(tmp_path_factory.getbasetemp()), source="x"
    ).plan(items)
    shards = shards_of(whole, count)

    found = limited_in_shards(whole, shards, most)

    for index in range(1, count + 1):
        part = in_shard(found, shards, index)
        alone = limited(in_shard(whole, shards, index), most)
        assert outputs(part) == outputs(alone)
        assert sum(step.is_paid for step in part.steps) <= most


def test_only_leaves_out_what_a_blocked_output_would_need(plan, tmp_path):
    owl, other = wanted("owl.png", "new"), wanted("other.png", "other")
    night = wanted("night.jpg", "night", needs=[owl])
    rain = wanted("rain.png", "rain", needs=[other, night])
    snow = wanted("snow.png", "snow", needs=[rain])
    (tmp_path / "night.jpg").write_bytes(b"mine")

    found = only(
        plan([owl, other, night, rain, snow], [line("night.jpg", prompt="old")]),
        ["snow.png"],
    )

    assert ["night.jpg", "rain.png", "snow.png"] == outputs(found)
    assert not any(step.is_paid for step in found.steps)


def test_limited_keeps_what_costs_nothing(plan):
    lines = [line("c.png", "submitted", prompt="c")]

    assert ["c.png", "d.png"] == outputs(limited(plan(chained(), lines), 0))


def test_collecting_submits_nothing(plan):
    lines = [line("c.png", "submitted", prompt="c")]

    found = collecting(plan(chained(), lines))

    assert ["c.png", "d.png"] == outputs(found)
    assert not any(step.is_paid for step in found.steps)


@pytest.mark.parametrize("state", ["failed", "cancelled", "unconfirmed"])
def test_collecting_keeps_items_that_ended_without_a_result(plan, state):
    items = [wanted("a.png", "a"), wanted("b.png", "b")]

    found = collecting(plan(items, [line("b.png", state, prompt="b")]))

    assert ["b.png"] == outputs(found)


def test_collecting_keeps_what_an_item_without_a_result_blocks(plan):
    lines = [line("a.png", "failed", prompt="a")]

    found = collecting(plan(chained(), lines))

    assert [("b.png", "a.png"), ("a.png", None)] == [
        (step.output, step.blocked_by) for step in found.steps
    ]


def test_collecting_keeps_edited_results(plan, tmp_path):
    (tmp_path / "a.png").write_bytes(b"mine")

    found = collecting(plan([wanted("a.png", "a")], [line("a.png", prompt="a")]))

    assert ["a.png"] == outputs(found)
