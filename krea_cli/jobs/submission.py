"""
From a request to its job: upload the input files, then submit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from krea_cli.api.models import Job
from krea_cli.api.request_body import encode_body
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
    Submit requests: upload their input files, encode their bodies, and record them.

    - `service`: name of the service in the journal
    - `url_of`: returns the URL of an input file, or the file itself to send it inline
    - `fresh_url_of`: the same after a new upload, if the service rejected the first URL
    - `upload`: uploads several files in parallel, so that `url_of` returns at once
    - `input_options`: options for sending input files, recorded with each request
    - `output`: options for saving results, recorded with each request
    - `key`: identifies the same request later, recorded with each request
    - `is_secret`: returns True for text that contains the token
    - `digest_token`: returns the digest by which the token is recognized later
    """

    submitter: Submitter
    service: str
    url_of: Callable[[Image], str | LocalFile]
    fresh_url_of: Callable[[Image], str | LocalFile]
    input_options: Mapping[str, bool]
    is_secret: Callable[[str], bool]
    digest_token: Callable[[], str | None] = lambda: None
    upload: Callable[[Sequence[Image], Report], object] | None = None
    output: Mapping[str, Any] | None = None
    key: str | None = None

    def prepare(self, request: Request, report: Report = ignore_report) -> None:
        """
        Do everything that costs nothing: check that the journal can be written, and
        upload the input files.

        Raises:
            UsageError: the request contains the token, or cannot be encoded.
            KreaError: the journal or the service cannot be used.
        """
        self.prepare_all([request], report)

    def prepare_all(
        self, requests: Sequence[Request], report: Report = ignore_report
    ) -> None:
        """
        Prepare several requests. Upload their files in parallel, and call `report` with
        the progress.

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
            encode_body(request.body(self.url_of))

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
        before_attempt: Callable[[], object] = lambda: None,
        save_record: Callable[[Record], object] | None = None,
    ) -> Job:
        """
        Submit the request, and return its job. `run` is the id that the jobs of one run
        share. `before_attempt` is called before each attempt, then `save_record` saves
        its record, by default in the journal. If either raises, nothing is sent.

        Raises:
            KreaError: as `Submitter.submit`.
        """
        save_record = save_record or partial(self.submitter.journal.begin, key=self.key)

        def begin(intent: Record) -> Record:
            before_attempt()
            record = replace(intent, created_at=self.submitter.clock.wall())
            save_record(record)
            return record

        try:
            return self._submit(request, self.url_of, run, deadline, begin)
        except RequestRejectedError as exc:
            if not _is_url_refused(exc):
                if self.input_options["inline"] and request.is_long_inline:
                    raise exc.but("Try again without --inline.") from exc.__cause__
                raise
            fresh = {image: self.fresh_url_of(image) for image in request.images}
            if not any(isinstance(url, str) for url in fresh.values()):
                raise
            # The first attempt was rejected, so nothing is paid twice.
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
        payload = SubmitPayload(
            path=request.model.path, body=encode_body(body), webhook=request.webhook
        )
        intent = Record.of(
            run=run,
            service=self.service,
            model=request.model.id,
            path=payload.path,
            body=body,
            webhook=payload.webhook,
            images={
                "inputs": describe_inputs(request.placed_images),
                **self.input_options,
            },
            seed=request.seed,
            cost_usd=request.cost_usd,
            now=self.submitter.clock.wall(),
            token_digest=self.digest_token(),
            output=self.output,
        )

        job = self.submitter.submit(
            payload,
            lambda: begin(intent),
            deadline=deadline,
            on_rejected=self.submitter.journal.refused,
        )
        return replace(
            job, model=intent.model, seed=intent.seed, cost_usd=intent.cost_usd
        )


def _is_url_refused(exc: RequestRejectedError) -> bool:
    return any(words in exc.message.lower() for words in _URL_REFUSED)
