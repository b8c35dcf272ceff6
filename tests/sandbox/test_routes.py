"""
The API of the sandbox as its clients see it, over real HTTP.
"""

from __future__ import annotations

import pytest
from sandbox.asking import NANO_BANANA, Client, opened, picture

from krea_cli.api.models import Job
from krea_cli.sandbox.server import Sandbox

SMALL = {"width": 64, "height": 48}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_job_goes_from_queued_to_completed(client, time):
    """
    A job is queued, then processing, then completed, by the clock alone.
    """
    submitted = client.submit().json
    seen = []
    for _ in range(5):
        seen.append(client("GET", f"/jobs/{submitted['job_id']}").json["status"])
        time.sleep(0.5)

    assert "queued" == submitted["status"]
    assert ["queued", "processing", "processing", "processing", "completed"] == seen


def test_job_has_the_shape_of_the_service(client, time):
    """
    The answers have the service's keys; a running job has no result yet.
    """
    submitted = client.submit().json
    time.sleep(2)
    completed = client("GET", f"/jobs/{submitted['job_id']}").json

    job_id = submitted["job_id"]
    assert {
        "job_id": job_id,
        "status": "queued",
        "created_at": "2026-09-21T14:13:20.000000Z",
        "completed_at": None,
        "type": "externalImage",
        "result": None,
    } == submitted
    assert {
        **submitted,
        "status": "completed",
        "completed_at": "2026-09-21T14:13:22.000000Z",
        "result": {"urls": [f"{client.url}/results/{job_id}-image.png"]},
    } == completed
    assert Job.from_json(completed).is_final


@pytest.mark.parametrize(
    ("model", "body", "suffixes"),
    [
        (NANO_BANANA, SMALL, ["-image.png"]),
        ("/generate/video/alibaba/wan-2.1", SMALL, ["-video.mp4"]),
        ("/generate/audio/elevenlabs/music", {}, ["-audio.wav"]),
        ("/generate/3d/tripo/tripo", {}, ["-model.glb", "-preview.png"]),
    ],
)
def test_each_kind_of_model_has_its_results(client, time, model, body, suffixes):
    """
    Each kind ends with files of its own, all of which can be fetched without a token.
    """
    job_id = client.submit(model, **body).json["job_id"]
    time.sleep(2)
    urls = Job.from_json(client("GET", f"/jobs/{job_id}").json).urls
    known = [url for url in urls if client("GET", url).status == 200]

    wanted = [f"{client.url}/results/{job_id}{suffix}" for suffix in suffixes]
    assert [url for url in wanted if "preview" not in url] == known


@pytest.mark.long
def test_3d_result_names_model_and_preview(client, time):
    """
    The URLs of a 3D result are objects that say what they are.
    """
    job_id = client.submit("/generate/3d/tripo/tripo").json["job_id"]
    time.sleep(2)
    urls = client("GET", f"/jobs/{job_id}").json["result"]["urls"]
    preview = client("GET", urls[1]["url"])

    assert ["model", "preview"] == [url["type"] for url in urls]
    assert (1024, 1024) == opened(preview.content).size


def test_result_is_not_there_before_the_job_is_completed(client, time):
    """
    A result URL guessed early is 404.
    """
    job_id = client.submit().json["job_id"]
    early = client("GET", f"/results/{job_id}-image.png")
    time.sleep(2)
    other = client("GET", f"/results/{job_id}-video.mp4")

    assert (404, 404) == (early.status, other.status)


def test_all_faults_of_a_body_are_told_at_once(client):
    """
    A body that does not fit the model's schema is 422 with every fault in it.
    """
    answer = client.submit(prompt=5, bogus=1, resolution="9K")

    assert 422 == answer.status
    assert "Invalid request body" == answer.json["error"]
    assert {"prompt", "bogus", "resolution"} == {
        issue["path"] for issue in answer.json["issues"]
    }
    assert [] == client("GET", "/jobs").json["items"]


@pytest.mark.parametrize("body", ["{", "[1]", '{"prompt": NaN}', "\ud800", "[" * 9999])
def test_body_that_is_no_json_object_is_400(client, body):
    """
    Nonsense is refused, and the connection stays usable.
    """
    answer = client("POST", NANO_BANANA, body.encode("utf-8", "surrogatepass"))

    assert 400 == answer.status
    assert 200 == client("GET", "/jobs").status


def test_unknown_model_is_404(client):
    """
    A model that the catalog does not know is 404 as JSON.
    """
    answer = client.submit("/generate/image/google/nano-apple")

    assert 404 == answer.status
    assert "nano-apple" in answer.json["error"]


@pytest.mark.parametrize("path", ["/", "/v1/jobs", "/jobs/", "/generate/", "/openapi"])
def test_unknown_path_is_a_page(client, path):
    """
    As at the service, what is no route is 404 and HTML.
    """
    answer = client("GET", path)

    assert 404 == answer.status
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("job_id", [UNKNOWN, "x", "..", "%2e%2e%2fjobs"])
def test_unknown_job_is_404(client, job_id):
    """
    An id that is not in the store is 404, whatever it looks like.
    """
    assert 404 == client("GET", f"/jobs/{job_id}").status
    assert 404 == client("DELETE", f"/jobs/{job_id}").status


def test_cancel_stops_a_running_job_for_good(client, time):
    """
    A job that is cancelled stays so, without a result.
    """
    job_id = client.submit().json["job_id"]
    time.sleep(1)
    client("DELETE", f"/jobs/{job_id}")
    time.sleep(5)
    job = client("GET", f"/jobs/{job_id}").json

    assert ("cancelled", None) == (job["status"], job["result"])
    assert "2026-09-21T14:13:21.000000Z" == job["completed_at"]
    assert 404 == client("GET", f"/results/{job_id}-image.png").status


def test_cancel_leaves_a_final_job_alone(client, time):
    """
    What is completed cannot be cancelled.
    """
    job_id = client.submit().json["job_id"]
    time.sleep(2)
    answer = client("DELETE", f"/jobs/{job_id}")

    assert (200, "completed") == (answer.status, answer.json["status"])


def test_list_pages_through_all_jobs_newest_first(client):
    """
    Following the cursor gives each job once, though all were made at the same time.
    """
    made = [client.submit().json["job_id"] for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = client("GET", f"/jobs?limit=2{cursor and '&cursor=' + cursor}").json
        seen += [job["job_id"] for job in page["items"]]
        cursor = page["next_cursor"]

    assert made[::-1] == seen


def test_list_filters_by_status_and_type(client, time):
    """
    Only jobs of the status and the types asked for are listed.
    """
    done = client.submit().json["job_id"]
    time.sleep(2)
    client.submit()
    film = client.submit("/generate/video/google/veo-3").json["job_id"]

    def listed(query):
        return [job["job_id"] for job in client("GET", f"/jobs?{query}").json["items"]]

    assert [done] == listed("status=completed")
    assert [film] == listed("types=flux,externalVideo")
    assert [] == listed("status=failed")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "status=done"]
)
def test_list_refuses_a_bad_query(client, query):
    """
    A query that makes no sense is 400 with the reason.
    """
    answer = client("GET", f"/jobs?{query}")

    assert (400, ["error"]) == (answer.status, list(answer.json))


def test_one_job_is_seen_by_every_process(tmp_path, time):
    """
    A job submitted on one port is listed, completed and fetched on another, under the
    other's address; so is an upload.
    """
    first = Sandbox(tmp_path, clock=time.wall)
    second = Sandbox(tmp_path, clock=time.wall)
    with first, second:
        here, there = Client(first), Client(second)
        image = here.upload(picture()).json["image_url"]
        job_id = there.submit(image_urls=[image], **SMALL).json["job_id"]
        time.sleep(2)
        [url] = here("GET", f"/jobs/{job_id}").json["result"]["urls"]
        result = here("GET", url)
        here.connection.close()
        there.connection.close()

    assert url.startswith(f"{here.url}/results/{job_id}")
    assert "PNG" == opened(result.content).format


def test_result_can_be_the_input_of_the_next_job(client, time):
    """
    A result URL is taken as an input.
    """
    job_id = client.submit(**SMALL).json["job_id"]
    time.sleep(2)
    [url] = client("GET", f"/jobs/{job_id}").json["result"]["urls"]
    next_id = client.submit(image_urls=[url]).json["job_id"]
    time.sleep(2)

    assert "completed" == client("GET", f"/jobs/{next_id}").json["status"]


def test_urls_outlive_the_process_that_gave_them(tmp_path, time):
    """
    Uploads and results of a sandbox that is gone are still good as inputs.
    """
    with Sandbox(tmp_path, clock=time.wall) as gone:
        client = Client(gone)
        upload = client.upload(picture()).json["image_url"]
        job_id = client.submit(**SMALL).json["job_id"]
        time.sleep(2)
        result = Job.from_json(client("GET", f"/jobs/{job_id}").json).urls[0]
        client.connection.close()
    with Sandbox(tmp_path, clock=time.wall) as sandbox:
        client = Client(sandbox)
        answer = client.submit(image_urls=[upload, result])
        client.connection.close()

    assert 200 == answer.status


def test_headers_are_not_stored(client, sandbox):
    """
    Nothing of a request's headers is on disk.
    """
    client("GET", "/jobs", authorization="Bearer canary-4711")
    client("POST", NANO_BANANA, {"prompt": "a red fox"}, authorization="canary-4711")
    files = [path for path in sandbox.store.folder.rglob("*") if path.is_file()]

    assert len(files) == 1
    assert b"canary-4711" not in files[0].read_bytes()
