"""
From a request to its job: upload the input files, then submit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from krea_cli.api.models import Job
from krea_cli.api.request_body import content
from krea_cli.errors import RequestRejectedError, UsageError
from krea_cli.inputs.local_file import Image, LocalFile
from krea_cli.inputs.upload_report import Report, ignore_report
from krea_cli.jobs.submitter import SubmitPayload, Submitter
from krea_cli.journal.record import Record
from krea_cli.requests.provenance import describe_inputs
from krea_cli.requests.request import Request
from krea_cli.runtime.json_tree import leaves

_URL_REFUSED = ("invalid asset url", "input file rejected")


class RequestSubmitter(NamedTuple):
    """
    Turns requests into paid submissions.

    *service* is the name that records are kept under. *url_of* returns the URL of an
    input file, or the file itself, which is then sent as a data URI; *fresh_url_of*
    does the same with a new upload, for when the service rejected the first URL.
    *upload* uploads several files at once, so that *url_of* need not wait for them.
    *manner* is recorded with the request: how input files were sent. *is_secret* tells
    whether a text contains the token, and *digest_token* returns the digest by which
    the token can be recognized. *output* is recorded, too: how the results are saved.
    """

    submitter: Submitter
    service: str
    url_of: Callable[[Image], str | LocalFile]
    fresh_url_of: Callable[[Image], str | LocalFile]
    manner: Mapping[str, bool]
    is_secret: Callable[[str], bool]
    digest_token: Callable[[], str | None] = lambda: None
    upload: Callable[[Sequence[Image], Report], object] | None = None
    output: Mapping[str, Any] | None = None

    def prepare(self, request: Request, report: Report = ignore_report) -> None:
        """
        Do everything that is free before anything is paid for: check that the journal
        can be written, and get the URL of every input file.

        Raises:
            UsageError: the request cannot be sent as it is.
            KreaError: the service cannot be used; nothing was paid for.
        """
        self.prepare_all([request], report)

    def prepare_all(
        self, requests: Sequence[Request], report: Report = ignore_report
    ) -> None:
        """
        Prepare several requests as `prepare` does one. Their files are uploaded
        together, several at once, and *report* is called while they are.

        Raises:
            KreaError: as `prepare`, for the first request that fails.
        """
        for request in requests:
            self._check_secrets(request)
        self.submitter.journal.check()
        if self.upload:
            images = [image for request in requests for image in request.images]
            self.upload(images, report)
        for request in requests:
            content(request.body(self.url_of))

    def _check_secrets(self, request: Request) -> None:
        texts = [text for _, text in leaves(request.fields) if isinstance(text, str)]
        if any(map(self.is_secret, (*texts, request.webhook or ""))):
            raise UsageError(
                "The request contains your API token. Nothing was submitted.",
                hint="Remove it: requests are stored by Krea and in your journal.",
            )

    def submit(
        self,
        request: Request,
        run: str,
        *,
        deadline: float,
        gate: Callable[[], object] = lambda: None,
        keep_record: Callable[[Record], object] | None = None,
    ) -> Job:
        """
        Submit the request, and return its job. *run* identifies the jobs of one call.
        *gate* is called before each try; an exception from it keeps the request here,
        and so does one from *keep_record*, which commits the record of each try; the
        journal does that without it.

        Raises:
            KreaError: as `Submitter.submit`.
        """
        keep = keep_record or self.submitter.journal.begin

        def begin(intent: Record) -> Record:
            gate()
            record = replace(intent, created_at=self.submitter.clock.wall())
            keep(record)
            return record

        try:
            return self._submit(request, self.url_of, run, deadline, begin)
        except RequestRejectedError as exc:
            if not _is_url_refused(exc):
                if self.manner["inline"] and request.is_long_inline:
                    raise exc.but("Try again without --inline.") from exc.__cause__
                raise
            fresh = {image: self.fresh_url_of(image) for image in request.images}
            if not any(isinstance(url, str) for url in fresh.values()):
                raise
            # The first try was rejected, so nothing is paid twice.
            return self._submit(request, fresh.__getitem__, run, deadline, begin)

    def _submit(
        self,
        request: Request,
        url_of: Callable[[Image], str | LocalFile],
        run: str,
        deadline: float,
        begin: Callable[[Record], Record],
    ) -> Job:
        body = request.body(url_of)
        post = SubmitPayload(
            path=request.model.path, body=content(body), webhook=request.webhook
        )
        intent = Record.of(
            run=run,
            service=self.service,
            model=request.model.id,
            path=post.path,
            body=body,
            webhook=post.webhook,
            images={"inputs": describe_inputs(request.placed_images), **self.manner},
            seed=request.seed,
            cost_usd=request.cost_usd,
            now=self.submitter.clock.wall(),
            token_digest=self.digest_token(),
            output=self.output,
        )

        job = self.submitter.submit(
            post,
            lambda: begin(intent),
            deadline=deadline,
            refused=self.submitter.journal.refused,
        )
        return replace(
            job, model=intent.model, seed=intent.seed, cost_usd=intent.cost_usd
        )


def _is_url_refused(exc: RequestRejectedError) -> bool:
    return any(words in exc.message.lower() for words in _URL_REFUSED)
