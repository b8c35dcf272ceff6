"""
The sandbox against the service's own OpenAPI document, judged by jsonschema.

The client and the sandbox share a validator and a catalog. The document and jsonschema
are neither's, so that both cannot be wrong in the same way.
"""

from __future__ import annotations

import json
import random
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from media.samples import sound
from sandbox.asking import Client, picture
from specs import as_python

from krea_cli.sandbox.concurrency import JobLimits
from krea_cli.sandbox.server import Sandbox

DOCUMENT = json.loads((Path(__file__).parents[1] / "data/openapi.json").read_bytes())
PATHS = DOCUMENT["paths"]
MODELS = [path for path in PATHS if path.startswith("/generate/")]
MEDIA = {
    "image": "/generate/image/google/nano-banana-pro",
    "video": "/generate/video/google/veo-3.1",
    "3d": "/generate/3d/tencent/hunyuan3d-3.1-pro",
    "audio": "/generate/audio/elevenlabs/music",
    "enhance": "/generate/enhance/krea/enhance",
}
# The sandbox has a picture for each URL there.
PICTURE_URL = "https://s.krea.ai/a.png"
INVALID = "Invalid request body"
STRANGE = [
    None,
    True,
    False,
    0,
    -1,
    2.5,
    1e9,
    "",
    "a",
    "x" * 3000,
    [],
    {},
    [1],
    {"a": 1},
]

FORMATS = FormatChecker(["uuid"])


@FORMATS.checks("date-time", raises=ValueError)
def is_time(value):
    # Other types are the business of "type".
    return not isinstance(value, str) or bool(datetime.fromisoformat(value).tzinfo)


@FORMATS.checks("uri", raises=ValueError)
def is_url(value):
    return not isinstance(value, str) or bool(urlsplit(value).netloc)


def request_schema(path):
    content = PATHS[path]["post"]["requestBody"]["content"]
    return as_python(content["application/json"]["schema"])


def matches(answer, method, path):
    """
    Check that the document has this status for the route, and the body fits its schema.
    """
    response = PATHS[path][method]["responses"][str(answer.status)]
    if "$ref" in response:
        name = response["$ref"].rpartition("/")[2]
        response = DOCUMENT["components"]["responses"][name]
    schema = response["content"]["application/json"]["schema"]
    Draft202012Validator(schema, format_checker=FORMATS).validate(answer.json)
    return True


class Generator:
    """
    Random values: most fit a schema, some are just beyond its limits or strange.
    """

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def happens(self, probability):
        return self.rng.random() < probability

    def value(self, schema):
        rng = self.rng
        if self.happens(0.03):
            return rng.choice(STRANGE)
        for form in ("anyOf", "oneOf"):
            if form in schema:
                return self.value(rng.choice(schema[form]))
        if "const" in schema or "enum" in schema:
            return rng.choice(schema.get("enum", [schema.get("const")]))
        types = schema.get("type", "string")
        kind = rng.choice(types) if isinstance(types, list) else types
        return getattr(self, f"{kind}_")(schema)

    def object_(self, schema):
        required = schema.get("required", ())
        body = {
            name: self.value(field)
            for name, field in schema.get("properties", {}).items()
            if self.happens(0.98 if name in required else 0.3)
        }
        if self.happens(0.05):
            body[self.rng.choice(["imageUrls", "unknown", ""])] = 1
        return body

    def array_(self, schema):
        least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
        count = self.rng.choice([least, least + 1, min(most, least + 2)])
        if self.happens(0.05):
            count = self.rng.choice([max(0, least - 1), min(most + 1, 20)])
        return [self.value(schema.get("items", {})) for _ in range(count)]

    def string_(self, schema):
        if schema.get("format") == "uri" and self.happens(0.95):
            return PICTURE_URL
        if "pattern" in schema:
            return self.rng.choice(["cat", "a_1", "4d0e5f97", "A b", "cat\n", "5"])
        least, most = schema.get("minLength", 1), schema.get("maxLength", 5000)
        lengths = [least, least + 1, least + 2, least + 30]
        if self.happens(0.1):
            lengths = [max(0, least - 1), most, most + 1]
        return self.rng.choice(["a", "é", "🦊"]) * self.rng.choice(lengths)

    def number_(self, schema):
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        most = schema.get("maximum", least + 100)
        near = [least, least + 1, most, (least + most) / 2]
        if self.happens(0.1):
            near = [least - 1, least - 0.5, most + 0.5, most + 1]
        return self.rng.choice(near)

    def integer_(self, schema):
        number = self.number_(schema)
        return number if self.happens(0.05) else int(number)

    def boolean_(self, schema):
        return self.happens(0.5)

    def null_(self, schema):
        return None


def disagreements(client, count, seed):
    """
    Send `count` bodies to each model; return those that sandbox and document judge
    differently, and how many were valid and invalid.
    """
    generator, found, counts = Generator(seed), [], {True: 0, False: 0}
    for path in MODELS:
        schema = request_schema(path)
        validator = Draft202012Validator(schema)
        for _ in range(count):
            body = generator.object_(schema)
            is_valid = validator.is_valid(body)
            answer = client("POST", path, body)
            # A URL that is not fetched is a text that the schema allows.
            error = answer.json.get("error") if answer.status == 422 else None
            counts[is_valid] += 1
            if answer.status not in (200, 422) or is_valid == (error == INVALID):
                found.append((path, body, answer.status, answer.json))
    return found, counts


def test_bodies_are_accepted_exactly_if_the_document_allows_them(client):
    found, counts = disagreements(client, 3, seed=1)

    assert [] == found
    assert min(counts.values()) > 70


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 5))
def test_many_bodies_are_accepted_exactly_if_the_document_allows_them(client, seed):
    found, counts = disagreements(client, 40, seed)

    assert [] == found
    assert min(counts.values()) > 1000


def test_every_model_of_the_document_is_served(sandbox):
    served = {f"/generate/{model.path}" for model in sandbox_models(sandbox)}

    assert set(MODELS) == {path for path in served if path in PATHS}
    assert served == set(MODELS)


def sandbox_models(sandbox):
    return sandbox._server.catalog.models


def body_for(path):
    """
    Return a valid body with as little in it as possible.
    """
    schema = request_schema(path)
    generator = Generator(0)
    generator.happens = lambda probability: probability > 0.9
    body = generator.object_(schema)
    assert Draft202012Validator(schema).is_valid(body)
    return body


@pytest.mark.parametrize("path", MEDIA.values(), ids=MEDIA)
def test_job_fits_the_document_in_every_state(client, time, path):
    submitted = client("POST", path, body_for(path))
    assert matches(submitted, "post", path)
    url, states = f"/jobs/{submitted.json['job_id']}", []
    for _ in range(4):
        job = client("GET", url)
        assert matches(job, "get", "/jobs/{id}")
        states.append(job.json["status"])
        time.sleep(0.7)

    assert ["queued", "processing", "processing", "completed"] == states
    assert job.json["result"]["urls"]


def test_failed_and_cancelled_jobs_fit_the_document(client, sandbox, time):
    sandbox.add_faults("submit:fails=nsfw_content")
    failed, cancelled = client.submit().json, client.submit().json
    assert 200 == client("DELETE", f"/jobs/{cancelled['job_id']}").status
    time.sleep(3)

    for job, status in ((failed, "failed"), (cancelled, "cancelled")):
        answer = client("GET", f"/jobs/{job['job_id']}")
        assert matches(answer, "get", "/jobs/{id}")
        assert status == answer.json["status"]


def test_list_of_jobs_fits_the_document(client, time):
    for path in MEDIA.values():
        client("POST", path, body_for(path))
    time.sleep(1)
    client.submit()
    whole, page = client("GET", "/jobs"), client("GET", "/jobs?limit=2")

    assert matches(whole, "get", "/jobs")
    assert matches(page, "get", "/jobs")
    assert (6, None) == (len(whole.json["items"]), whole.json["next_cursor"])
    assert FORMATS.conforms(page.json["next_cursor"], "date-time")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("limit", ["1", "100", "1000", "0", "1001", "-1", "x", "1.5"]),
        ("status", ["completed", "sampling", "intermediate-complete", "done", ""]),
        (
            "cursor",
            ["2026-10-09T12:00:00Z", "2026-10-09T12:00:00.5+02:00", "yesterday"],
        ),
    ],
)
def test_query_of_the_list_is_accepted_exactly_if_the_document_allows_it(
    client, name, values
):
    [schema] = [
        each["schema"]
        for each in PATHS["/jobs"]["get"]["parameters"]
        if each["name"] == name
    ]
    for value in values:
        given = value
        if schema["type"] == "integer" and value.lstrip("-").isdigit():
            given = int(value)
        is_valid = FORMATS.conforms(given, schema.get("format", ""))
        is_valid &= Draft202012Validator(schema).is_valid(given)
        answer = client("GET", f"/jobs?{name}={value.replace('+', '%2B')}")

        assert (200 if is_valid else 400) == answer.status
        assert matches(answer, "get", "/jobs")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (picture(), {}),
        (picture(form="JPEG"), {"description": "a description"}),
        (sound(), {}),
    ],
    ids=["png", "jpeg", "wav"],
)
def test_upload_fits_the_document(client, content, parts):
    uploaded = client.upload(content, **parts)
    shown = client("GET", f"/assets/{uploaded.json['id']}")

    assert matches(uploaded, "post", "/assets")
    assert matches(shown, "get", "/assets/{id}")
    assert parts.items() <= uploaded.json.items()


def test_lists_of_assets_and_deletions_fit_the_document(client):
    ids = [client.upload(picture((size, 40))).json["id"] for size in (40, 50, 60)]
    whole = client("GET", "/assets")
    deleted = client("DELETE", f"/assets/{ids[0]}")
    again = client("DELETE", f"/assets/{ids[0]}")

    assert matches(whole, "get", "/assets")
    assert set(ids) == {each["id"] for each in whole.json["items"]}
    assert matches(deleted, "delete", "/assets/{id}")
    assert (200, True) == (deleted.status, deleted.json["success"])
    assert matches(again, "delete", "/assets/{id}")
    assert 404 == again.status
    left = client("GET", "/assets").json["items"]
    assert set(ids[1:]) == {each["id"] for each in left}


def test_pages_of_assets_have_every_asset_once(client, time):
    ids = []
    for size in (40, 50, 60, 70, 80):
        ids.append(client.upload(picture((size, 40))).json["id"])
        time.sleep(1)
    found, cursor = [], ""
    for _ in range(3):
        page = client("GET", f"/assets?limit=2{cursor}")
        assert matches(page, "get", "/assets")
        found += [each["id"] for each in page.json["items"]]
        cursor = f"&cursor={page.json['next_cursor']}"

    assert ids[::-1] == found
    assert page.json["next_cursor"] is None


def test_training_and_its_style_fit_the_document(client, time):
    body = {"model": "k2", "name": "ink", "urls": [PICTURE_URL]}
    submitted = client("POST", "/styles/train", body)
    time.sleep(3)
    job = client("GET", f"/jobs/{submitted.json['job_id']}")
    styles = client("GET", "/styles")
    style = client("GET", f"/styles/{job.json['result']['style_id']}")

    assert matches(submitted, "post", "/styles/train")
    assert matches(job, "get", "/jobs/{id}")
    assert matches(styles, "get", "/styles")
    assert matches(style, "get", "/styles/{id}")
    assert "ink" == style.json["title"]
    missing = client("GET", "/styles/nope")
    assert matches(missing, "get", "/styles/{id}")
    assert 404 == missing.status


def test_trainings_are_accepted_exactly_if_the_document_allows_them(client):
    schema = request_schema("/styles/train")
    validator = Draft202012Validator(schema)
    generator, counts = Generator(5), {True: 0, False: 0}
    for number in range(60):
        body = generator.object_(schema["oneOf"][number % 2])
        is_valid = validator.is_valid(body)
        counts[is_valid] += 1
        answer = client("POST", "/styles/train", body)
        assert matches(answer, "post", "/styles/train")
        # A URL that is not fetched is a text that the schema allows.
        is_refused = answer.status == 400 and answer.json["error"] == INVALID
        assert is_refused is not is_valid, body

    assert min(counts.values()) > 7


@pytest.mark.parametrize(
    "value",
    ["all", "user", "public", "gallery", "mine", ""],
)
def test_filter_of_styles_is_accepted_exactly_if_the_document_allows_it(client, value):
    [schema] = [
        each["schema"]
        for each in PATHS["/styles"]["get"]["parameters"]
        if each["name"] == "filter"
    ]
    answer = client("GET", f"/styles?filter={value}")

    is_valid = Draft202012Validator(schema).is_valid(value)
    assert (200 if is_valid else 400) == answer.status
    assert matches(answer, "get", "/styles")


def test_errors_fit_the_document(client, sandbox):
    """
    A 401 is left out: the service was seen to answer it with a message only.
    """
    nano_banana = MEDIA["image"]
    missing = "00000000-0000-0000-0000-000000000000"
    sandbox.add_faults("submit:402", "submit:410", "submit:429=3")

    assert matches(client.submit(), "post", nano_banana)
    # This model is not past its end, so the document has its 410 elsewhere.
    past = next(p for p in MODELS if "410" in PATHS[p]["post"]["responses"])
    assert matches(client("POST", past, body_for(past)), "post", past)
    assert matches(client.submit(), "post", nano_banana)
    assert matches(client("POST", nano_banana, "no JSON"), "post", nano_banana)
    assert matches(client("GET", f"/jobs/{missing}"), "get", "/jobs/{id}")
    assert matches(client("DELETE", f"/jobs/{missing}"), "delete", "/jobs/{id}")
    assert matches(client("GET", f"/assets/{missing}"), "get", "/assets/{id}")
    assert matches(client.upload(b"of no known kind"), "post", "/assets")


@pytest.mark.parametrize("over_limit", ["backlog", "refuse"])
def test_answer_to_one_job_too_many_fits_the_document(tmp_path, time, over_limit):
    limits = JobLimits(parallel=1, over_limit=over_limit)
    with Sandbox(tmp_path, clock=time.wall, limits=limits) as sandbox:
        client = Client(sandbox)
        client.submit()
        answer = client.submit()
        client.connection.close()

    assert matches(answer, "post", MEDIA["image"])
    assert (429 if over_limit == "refuse" else 200) == answer.status
