"""
What the journal knows, as lines of a lock.
"""

from __future__ import annotations

import pytest
from batch.lines import SERVICE, identity, line
from journal.recorded import NOW, record

from krea_cli.api.models import SavedFile
from krea_cli.batch.journal_lines import lines_of, time_text
from krea_cli.journal.keys import KeyHolder


@pytest.fixture
def found(tmp_path):
    def make(*holders, known=()):
        return lines_of(
            holders,
            known,
            key="k",
            identity=identity(),
            source="pictures.toml",
            output="owl.png",
            service=SERVICE,
            folder=tmp_path,
            now=NOW,
        )

    return make


def holder(job_id="job-1", **fields):
    made = record(job_id=job_id, **fields)
    return KeyHolder(record=made, job_id=job_id)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"state": "submitted"}, "submitted"),
        ({"state": "completed"}, "completed"),
        ({"state": "failed"}, "failed"),
        ({"state": "unknown", "job_id": None}, "unconfirmed"),
        ({"state": "intended", "job_id": None}, "submitted"),
        ({"state": "intended", "job_id": None, "holder": "gone:1:1"}, "submitted"),
        (
            {
                "state": "intended",
                "job_id": None,
                "created_at": NOW - 900,
                "holder": "",
            },
            "unconfirmed",
        ),
    ],
)
def test_line_has_the_state_of_its_record(found, fields, state):
    [made] = found(holder(**fields))

    assert (state, 1, "owl.png", "k") == (
        made.state,
        made.attempt,
        made.output,
        made.key,
    )


@pytest.mark.parametrize(
    ("hashes", "state"), [(("f1",), "completed"), ((), "submitted")]
)
def test_line_of_a_pruned_record_leaves_the_rest_to_the_service(found, hashes, state):
    [made] = found(KeyHolder(job_id="job-1", file_sha256s=hashes))

    assert (state, "job-1") == (made.state, made.job)


def test_line_has_the_files_as_seen_from_the_folder(found, tmp_path):
    saved = SavedFile(
        path=str(tmp_path / "out/owl.webp"),
        url="https://x",
        media_type="image/webp",
        size_bytes=5,
        sha256="f1",
        converted_from="image/png",
    )

    [made] = found(holder(state="completed", files=(saved,)))

    [file] = made.files
    assert ("out/owl.webp", "f1", None) == (
        file.path,
        file.sha256,
        file.received_sha256,
    )


def test_line_of_a_job_in_the_lock_keeps_its_attempt_and_key(found):
    known = line(job="job-1", attempt=3, key="older")

    [made] = found(holder(state="completed"), known=[known])

    assert (3, "older") == (made.attempt, made.key)


def test_line_of_a_later_request_is_a_later_attempt(found):
    known = line(job="job-0", attempt=2, at=time_text(NOW - 100))

    lines = found(
        holder("job-2", state="submitted", created_at=NOW + 10),
        holder("job-1", state="failed", created_at=NOW),
        known=[known],
    )

    assert [("job-1", 3), ("job-2", 4)] == [(each.job, each.attempt) for each in lines]
