"""
`krea generate`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from krea_cli import options, order
from krea_cli.collection import Collection
from krea_cli.output.results import JobAccepted, JobSaved, JobUrls
from krea_cli.session import Session


def generate(
    session: Session,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What to make; - is standard input."),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            "--image", "-i", help="A file, an https URL, a data URI, or -; repeatable."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Such as google/nano-banana-pro."),
    ] = None,
    output: options.Output = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="KEY=VALUE",
            help="A field of the model, or KEY:=JSON; repeatable.",
        ),
    ] = None,
    prompt_file: Annotated[
        str | None,
        typer.Option("--prompt-file", metavar="FILE", help="Prompt in a file."),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, help="So many jobs of the request.")
    ] = 1,
    timeout: options.Timeout = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the result, or do not.")
    ] = True,
    no_download: Annotated[
        bool, typer.Option("--no-download", help="Tell the result URLs; save nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the request; send nothing.")
    ] = False,
    inline: Annotated[
        bool, typer.Option("--inline", help="Send images in the request itself.")
    ] = False,
    webhook: Annotated[
        str | None,
        typer.Option("--webhook", metavar="URL", help="Told when a job is final."),
    ] = None,
    force: options.Force = False,
) -> None:
    """
    Generate or edit, wait, and save the result.

    Example: krea generate "a watercolour" -i photo.jpg -o out.png
    """
    prompt = order.read_prompt(session, prompt, prompt_file)
    request = order.take(
        session,
        model=model,
        prompt=prompt,
        images=image or (),
        params=param or (),
        webhook=webhook,
    )
    if dry_run:
        session.out.result([order.dry_run(session, request, count)])
        return
    output = output or session.settings.output
    saves = wait and not no_download
    target = session.target(output, count=count, force=force) if saves else None

    jobs, errors, deadline = order.submit(
        session, request, count=count, timeout=timeout, inline=inline
    )
    made = Collection(session, jobs, errors, output=output)
    if wait:
        made.wait(deadline=deadline, pauses_first=True)
    if target:
        source = request.images[0].name if request.images else ""
        made.save(
            target,
            lambda job: session.naming(job, prompt=prompt or "", source=source),
            force=force,
        )

    result = JobSaved if target else JobUrls if wait else JobAccepted
    made.tell(result, waits=wait)
