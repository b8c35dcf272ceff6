"""
`krea wait`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from krea_cli import options, showing, step
from krea_cli.collection import Collection
from krea_cli.errors import UsageError
from krea_cli.one_by_one import look
from krea_cli.output.results import JobSaved, JobStatus
from krea_cli.session import Session

if TYPE_CHECKING:
    from krea_cli.jobs.targets import Target


def wait(
    session: Session,
    jobs: options.Jobs = None,
    output: options.Output = None,
    timeout: options.Timeout = None,
    first: Annotated[
        bool,
        options.waiting_option(
            "--any", help="Only until one is; tell and save that one."
        ),
    ] = False,
    force: options.Force = False,
    sidecar: options.Sidecar = False,
    max_size: options.MaxSize = None,
    quality_out: options.QualityOut = None,
    expect: options.Expect = None,
    preview: options.Preview = None,
    cancel_on_interrupt: options.CancelOnInterrupt = False,
    github: options.Github = False,
) -> None:
    """
    Wait until jobs are final; with -o, save their results.

    \b
    Examples:
      krea wait @last -o results/
      krea wait --any --timeout 1h
    """
    if github:
        step.begin(session)
    started = session.clock.now()
    session.cancels_on_interrupt = cancel_on_interrupt
    job_ids = session.select(jobs)
    expected = session.expectations(expect, saves=output is not None)
    if sidecar and output is None:
        raise UsageError("--sidecar is for saved results: name their place with -o.")
    if sidecar:
        session.wish_sidecars(job_ids)
    target = None
    if output is not None:
        target = session.target(
            output,
            count=len(job_ids),
            force=True,
            quality=quality_out,
            expectations=expected,
        )
    session.take(*job_ids)
    session.output, session.overwrites = output, force

    seen, errors = look(session, job_ids, deadline=session.deadline(timeout))
    if target and not any(job.status == "completed" for job in seen):
        _check_names(session, target, count=len(job_ids), force=force)
    found = Collection(session, seen, errors, output=output)
    deadline = session.deadline(timeout, kinds=session.kinds(seen), since=started)
    saving = None
    if target:
        saving = found.saving(
            target,
            force=force,
            max_bytes=max_size,
            quality=quality_out,
            expectations=expected,
        )
    found.wait(deadline=deadline, saving=saving, is_one_enough=first)

    shown = partial(showing.preview, session, wanted=preview) if target else None
    found.tell(JobSaved if target else JobStatus, preview=shown)


def _check_names(session: Session, target: Target, *, count: int, force: bool) -> None:
    """
    A name that is taken now is not taken by what the jobs will give, and no hint is to
    name it again.
    """
    output, session.output = session.output, None
    target.check(count=count, force=force)
    session.output = output
