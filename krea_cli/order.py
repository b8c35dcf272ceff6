"""
From the words of the command line to a request, and from a request to paid jobs.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from krea_cli.api.resources import Job
from krea_cli.errors import InputError, KreaError, UsageError
from krea_cli.output.results import DryRun
from krea_cli.session import Session

if TYPE_CHECKING:
    from krea_cli.jobs.request import Request


def take(
    session: Session,
    *,
    model: str | None,
    prompt: str | None,
    images: Sequence[str],
    params: Sequence[str],
    webhook: str | None,
) -> Request:
    """
    The request that is meant, checked as far as it can be here; nothing is sent.

    Raises:
        UsageError: something in it cannot be used.
    """
    from krea_cli.jobs import request

    found = session.catalogue.find(model or session.settings.model)
    if found.deprecated:
        session.out.warn(f"The model {found.id} is deprecated and may be gone.")
    if webhook is not None and urlsplit(webhook).scheme not in ("https", "http"):
        raise UsageError(f"The webhook {webhook} is no URL.")
    given = [request.Param.parse(param) for param in params]
    if prompt is None and not any(param.name == "prompt" for param in given):
        _check_promptless(found.id, needed="prompt" in found.required)
    return request.build(
        found,
        prompt=prompt,
        images=[session.images.read(image) for image in images],
        params=given,
        webhook=webhook,
        warn=session.out.warn,
    )


def read_prompt(session: Session, prompt: str | None, file: str | None) -> str | None:
    """
    The prompt itself, from standard input or *file* if it is there; a final line break
    is cut.

    Raises:
        UsageError: it is empty, or given twice.
        InputError: *file* cannot be read.
    """
    if prompt is not None and file is not None:
        raise UsageError("PROMPT and --prompt-file are both given.")
    try:
        if prompt == "-":
            prompt = session.claim_stdin("the prompt").read().rstrip("\r\n")
        elif file is not None:
            prompt = Path(file).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is no UTF-8 text"
        raise InputError(f"The prompt cannot be read: {reason}.") from exc
    if prompt is not None and not prompt.strip():
        raise UsageError("The prompt is empty.")
    return prompt


def _check_promptless(model: str, *, needed: bool) -> None:
    if needed:
        raise UsageError(
            f"The model {model} needs a prompt.",
            hint='Say what to make: krea generate "a watercolour" -i photo.jpg',
        )


def dry_run(session: Session, request: Request, count: int) -> DryRun:
    """
    What would be sent, with the names of files where their URLs would stand.
    """
    from krea_cli.jobs.uploads import named_url_of

    # The sandbox is not started for this, so it has no port yet.
    base = "http://127.0.0.1" if session.settings.sandbox else session.settings.api_url
    return DryRun(
        method="POST",
        url=f"{base}/generate/{request.model.path}",
        body=request.body(named_url_of),
        count=count,
    )


def submit(
    session: Session,
    request: Request,
    *,
    count: int,
    timeout: float | None,
    inline: bool,
) -> tuple[list[Job], list[KreaError], float]:
    """
    Send the request *count* times: the jobs, what went wrong, and the deadline.

    The first error ends it, as the next request would meet it, too (hazard B9); the
    jobs until then are kept.
    """
    submission = session.submission(inline=inline)
    with session.out.progress() as progress:
        progress.doing("preparing")
        submission.prepare(request)
        deadline = session.deadline(timeout, kind=request.model.kind)
        progress.doing("submitting")
        run, jobs = str(uuid.uuid4()), list[Job]()
        for _ in range(count):
            try:
                jobs.append(submission.submit(request, run))
            except KreaError as exc:
                return jobs, [exc], deadline
            session.pending.append(jobs[-1].job_id)
    return jobs, [], deadline
