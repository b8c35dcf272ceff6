"""
`krea sandbox`: the built-in service as a server of its own.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from krea_cli.cli.context import CliContext
from krea_cli.output.results.sandbox import SandboxReset, SandboxStarted
from krea_cli.runtime.signals import Interrupted

PORT, JOB_SECONDS = 8787, 2.0
_LONG = 3600.0


def serve(
    ctx: CliContext,
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="PORT", min=0, max=65535, help="Port (0: any free port)."
        ),
    ] = PORT,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="FAULT",
            help="Fault to inject: ROUTE:FAULT[=VALUE][*TIMES]. Repeatable.",
        ),
    ] = None,
    job_seconds: Annotated[
        float,
        typer.Option(
            "--job-seconds",
            metavar="SECONDS",
            min=0,
            max=86400,
            help="Duration of a job.",
        ),
    ] = JOB_SECONDS,
    parallel_jobs: Annotated[
        int | None,
        typer.Option(
            "--parallel-jobs",
            metavar="N",
            min=1,
            help="Maximum number of jobs at a time.",
        ),
    ] = None,
    over_limit: Annotated[
        Literal["backlog", "refuse"],
        typer.Option(
            "--over-limit",
            metavar="WHAT",
            help="With more jobs: backlog, or refuse with 429.",
        ),
    ] = "backlog",
) -> None:
    """
    Run the sandbox as a server until Ctrl-C.

    Works like the Krea API, accepts any token and shares its jobs with --sandbox. The
    URL goes to standard output, a line for each request to standard error. Ctrl-C or
    SIGTERM ends it, with exit code 130 or 143 and no error.

    A fault is ROUTE:FAULT[=VALUE][*TIMES][+SKIP][@TEXT]: for the next request to the
    route or the next TIMES requests, with * alone for all requests; with +SKIP after
    SKIP requests that succeed; with @TEXT only for jobs whose prompt contains the text.

    \b
    ROUTE   submit, jobs (the list), job, cancel, upload, assets, styles, result, any
    FAULT   reset close hang[=SECONDS]    no response: RST, FIN, silence
            400..599                      that status; 429 and 503 take =RETRY-AFTER
            html[=STATUS] empty junk      a response that is not JSON
            slow[=SECONDS] trickle        starts late; one byte per second
            fails[=CODE]                  submit: the job will fail
            takes=SECONDS[-SECONDS]       submit: the duration of the job
            missing no-urls               job: 404; completed without a result
            expired cut[=BYTES]           result: 403; ends in the middle
    -after  reset close hang html empty junk 408 500..599: with it, as in
            reset-after, the request is processed, then the response fails

    With --parallel-jobs, a job above that number waits as "backlogged"; with
    --over-limit refuse, it gets 429 with Retry-After: 1. Krea may do either.

    While it runs, at its URL: GET, POST {"fault": "..."} and DELETE /sandbox/faults;
    GET /sandbox/ledger shows what the jobs would have cost.

    \b
    Example:
      krea sandbox serve --port 0 --fault 'job:503*2'
    """
    log = ctx.console.note
    sandbox = ctx.connection.make_sandbox(
        port=port,
        faults=faults or (),
        log=log,
        job_seconds=job_seconds,
        parallel=parallel_jobs,
        over_limit=over_limit,
    )
    sandbox.start()

    ctx.console.result([SandboxStarted(sandbox.url)])

    raise typer.Exit(128 + _next_signal(ctx))


def reset(ctx: CliContext) -> None:
    """
    Delete all jobs, uploads and results of the sandbox.

    A running sandbox keeps running; your journal is unchanged.

    \b
    Example:
      krea sandbox reset
    """
    jobs = ctx.connection.make_sandbox().store.reset()

    ctx.console.result([SandboxReset(jobs)])


def _next_signal(ctx: CliContext) -> int:
    """
    Wait for a signal, which is how a server is meant to end; its number.
    """
    try:
        while True:
            ctx.clock.sleep(_LONG)
    except Interrupted as exc:
        return exc.signum


COMMANDS = {"serve": serve, "reset": reset}
