"""
From a request to its job: images get their URLs, then the paid request is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from krea_cli.api.models import Job
from krea_cli.errors import RequestRejectedError, UsageError
from krea_cli.inputs.local_file import Image, LocalFile
from krea_cli.jobs.submitter import SubmitPayload, Submitter
from krea_cli.journal.record import Record
from krea_cli.requests.body import content
from krea_cli.requests.json_tree import leaves
from krea_cli.requests.provenance import describe_inputs
from krea_cli.requests.request import Request

_URL_REFUSED = ("invalid asset url", "input file rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSubmitter:
    """
    *service* is the one that records are kept for.  *url_of* gives the URL of an image,
    or the image itself, which is then sent as a data URI; *fresh_url_of* a URL that the
    service cannot refuse, for when it refused the first, or again the image itself.
    *manner* is kept of how images are sent; *is_secret* says whether a text holds the
    token; *digest_token* makes what is kept to recognize the token.
    """

    paid: Submitter
    service: str
    url_of: Callable[[Image], str | LocalFile]
    fresh_url_of: Callable[[Image], str | LocalFile]
    manner: Mapping[str, bool]
    is_secret: Callable[[str], bool]
    digest_token: Callable[[], str | None] = lambda: None

    def prepare(self, request: Request) -> None:
        """
        Do all that is free before anything is paid for: the journal can be written to,
        every image has its URL.

        Raises:
            UsageError: the request cannot be sent as it is.
            KreaError: the service cannot be used; nothing was paid for.
        """
        texts = [text for _, text in leaves(request.fields) if isinstance(text, str)]
        if any(map(self.is_secret, (*texts, request.webhook or ""))):
            raise UsageError(
                "The request holds the API token, so nothing was sent.",
                hint="Take it out: what is sent is kept by the service, and in the "
                "journal here.",
            )
        self.paid.journal.check()
        content(request.body(self.url_of))

    def submit(
        self,
        request: Request,
        run: str,
        *,
        deadline: float,
        gate: Callable[[], object] = lambda: None,
    ) -> Job:
        """
        The job that the service made of *request*; *run* ties the jobs of one call.
        *gate* is called before each try; what it raises keeps the request from leaving.

        Raises:
            KreaError: as `Submitter.send`.
        """
        try:
            return self._submit(request, self.url_of, run, deadline, gate)
        except RequestRejectedError as exc:
            if not _is_url_refused(exc):
                if self.manner["inline"] and request.is_long_inline:
                    raise exc.but("Try again without --inline.") from exc.__cause__
                raise
            fresh = {image: self.fresh_url_of(image) for image in request.images}
            if not any(isinstance(url, str) for url in fresh.values()):
                raise
            # A refusal was not accepted, so this is no second order.
            return self._submit(request, fresh.__getitem__, run, deadline, gate)

    def _submit(
        self,
        request: Request,
        url_of: Callable[[Image], str | LocalFile],
        run: str,
        deadline: float,
        gate: Callable[[], object],
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
            now=self.paid.clock.wall(),
            token_digest=self.digest_token(),
        )

        def begin() -> Record:
            gate()
            record = replace(intent, created_at=self.paid.clock.wall())
            self.paid.journal.begin(record)
            return record

        job = self.paid.send(
            post, begin, deadline=deadline, refused=self.paid.journal.refused
        )
        return replace(
            job, model=intent.model, seed=intent.seed, cost_usd=intent.cost_usd
        )


def _is_url_refused(exc: RequestRejectedError) -> bool:
    return any(words in exc.message.lower() for words in _URL_REFUSED)
