"""
`krea download`.
"""

from __future__ import annotations

from functools import partial

from krea_cli import options, showing, step
from krea_cli.collection import Collection
from krea_cli.one_by_one import look
from krea_cli.output.results import JobSaved
from krea_cli.session import Session


def download(
    session: Session,
    jobs: options.Jobs = None,
    output: options.Output = None,
    force: options.Force = False,
    sidecar: options.Sidecar = False,
    preview: options.Preview = None,
    max_size: options.MaxSize = None,
    github: options.Github = False,
    quality_out: options.QualityOut = None,
    expect: options.Expect = None,
) -> None:
    """
    Save the results of completed jobs.

    \b
    Example:
      krea download @last -o results/
    """
    if github:
        step.begin(session)
    output = session.settings.output if output is None else output
    expected = session.expectations(expect, saves=True)
    job_ids = session.select(jobs)
    if sidecar:
        session.wish_sidecars(job_ids)
    # A name that is taken may be taken by the very result.
    target = session.target(
        output,
        count=len(job_ids),
        force=True,
        quality=quality_out,
        expectations=expected,
    )
    session.take(*job_ids)
    session.output, session.overwrites = output, force

    found = Collection(session, *look(session, job_ids), output=output)
    saving = found.saving(
        target,
        force=force,
        max_bytes=max_size,
        quality=quality_out,
        expectations=expected,
    )
    found.save(saving)

    found.tell(JobSaved, preview=partial(showing.preview, session, wanted=preview))
