"""
Lines of locks, with short words for what tests change in them.
"""

from __future__ import annotations

import hashlib

from krea_cli.batch.identity import Identity, Input
from krea_cli.batch.item import Item
from krea_cli.batch.item_requests import Planned
from krea_cli.batch.lock import LockedFile, LockLine
from krea_cli.batch.problems import Position

SERVICE = "https://api.krea.ai"


def identity(prompt="an owl", *, inputs=(), copy=1):
    fields = {"prompt": prompt}
    if inputs:
        fields["image_urls"] = [{"$input": index} for index in range(len(inputs))]
    return Identity(
        request={
            "model": "image/google/nano-banana-pro",
            "fields": fields,
            "copy": copy,
        },
        inputs=tuple(inputs),
    )


def image(sha256, *, sent=None, path="a.jpg", field="image_urls.0"):
    return Input(field=field, path=path, sha256=sha256, sent_sha256=sent or sha256)


def file(path, sha256="f1", **values):
    return LockedFile(path=path, sha256=sha256, received_sha256=sha256, **values)


def line(output="owl.png", state="completed", *, prompt="an owl", **values):
    found = values.pop("identity", None) or identity(prompt)
    job = values.pop("job", "job-1" if state not in ("unconfirmed", "closed") else None)
    files = values.pop("files", (file(output),) if state == "completed" else ())
    return LockLine(
        **{
            "source": "pictures.toml",
            "output": output,
            "key": found.key,
            "state": state,
            "record": "r1",
            "job": job,
            "service": SERVICE,
            "usd": 0.15,
            "at": "2026-11-28T10:00:00Z",
            "identity": found,
            "files": files,
        }
        | values
    )


def wanted(output="owl.png", prompt="an owl", *, usd=0.15, needs=None, **values):
    """
    An item of a manifest, with its identity; *needs* has other items.
    """
    needs = needs or []
    inputs = [
        Input(field=f"image_urls.{index}", path=each.item.output, key=each.key)
        for index, each in enumerate(needs)
    ]
    item = Item(
        position=Position("pictures.toml", 1),
        output=output,
        needs={each.item.output: each.item.output for each in needs},
    )
    made = values.pop("identity", None) or identity(prompt, inputs=inputs)
    return Planned(item=item, identity=made, cost_usd=usd, **values)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()
