from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from krea_cli import media
from krea_cli.downloads.filename_template import FIELDS
from krea_cli.downloads.output_target import FilenameFields, OutputTarget
from krea_cli.errors import StorageError, TargetExistsError, UsageError

NOW = datetime(2026, 11, 22, 9, 5, 3).astimezone()
NAMING = FilenameFields(
    time=NOW,
    model="google/nano-banana-pro",
    prompt="A cat, on the moon!",
    source="photos/Tom's cat.jpg",
    seed=7,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def named(output, *, naming=NAMING, job_id="job-1", index=1, several=False):
    values = naming.values(job_id=job_id, index=index, extension="png")
    return OutputTarget.parse(output).path(values, several=several)


@pytest.mark.parametrize(
    ("output", "path"),
    [
        (None, "job-1.png"),
        ("out.png", "out.png"),
        ("deep/out.png", "deep/out.png"),
        ("-x.png", "-x.png"),
        (".hidden", ".hidden.png"),
        ("owl", "owl.png"),
        ("a{{b}}", "a{b}.png"),
        ("new/", "new/job-1.png"),
        ("{job_id}", "job-1.png"),
        ("{slug}.{ext}", "a-cat-on-the-moon.png"),
        ("{stem}-{seed}.{ext}", "Tom-s-cat-7.png"),
        ("{model}/{date}/{time}.{ext}", "nano-banana-pro/2026-11-22/090503.png"),
        ("{index:03}.png", "001.png"),
        ("a{{b}}-{index}.png", "a{b}-1.png"),
        ("{date}/{{x}}/", "2026-11-22/{x}/job-1.png"),
        ("e\u0301-{index}.png", "\u00e9-1.png"),
        ("{slug}. .", "a-cat-on-the-moon.png"),
    ],
)
def test_a_target_names_its_file(output, path):
    """
    A file, a folder, or a template with fields.
    """
    assert Path(path) == named(output)


@pytest.mark.parametrize(
    ("output", "path"),
    [
        (None, "job-1-2.png"),
        ("out.png", "out-2.png"),
        ("out", "out-2.png"),
        ("new.d/out", "new.d/out-2.png"),
        ("new/", "new/job-1-2.png"),
        ("{slug}.{ext}", "a-cat-on-the-moon-2.png"),
        ("{index:03}.png", "002.png"),
        ("{index}/out.png", "2/out.png"),
        ("x" * 240 + ".png", "x" * 194 + "-2.png"),
        ("{index}" + "é" * 120 + ".png", "2" + "é" * 96 + "-2.png"),
    ],
)
def test_of_several_each_has_its_index(output, path):
    """
    Before the extension, where the template does not place it, and also where a name
    has to be cut.
    """
    assert Path(path) == named(output, index=2, several=True)


def test_standard_output_has_no_template():
    """
    "-" is no name.
    """
    assert OutputTarget.parse("-").template is None


@pytest.mark.parametrize("name", ["there", "a{b}", "a}", "{job_id}", ".x{1}"])
def test_a_folder_that_exists_takes_the_default_name(folder, name):
    """
    Without a slash at the end, and whatever it is called.
    """
    (folder / name).mkdir()

    assert Path(name, "job-1.png") == named(name)


def test_a_link_to_a_folder_is_a_folder(folder):
    """
    As for every other program.
    """
    (folder / "real").mkdir()
    (folder / "link").symlink_to("real")

    assert Path("link/job-1.png") == named("link")


@pytest.mark.parametrize("output", ["", " ", "a\0b"])
def test_no_name_at_all_is_refused(output):
    """
    Nothing could be made of it.
    """
    with pytest.raises(UsageError, match="needs the name of a file or a folder"):
        OutputTarget.parse(output)


@pytest.mark.parametrize(
    "output",
    [
        "{job}.png",
        "{}.png",
        "{0}.png",
        "{job_id.__class__}.png",
        "{job_id[0]}.png",
        "{job_id",
        "job_id}.png",
        "{index:d8}",
        "{index:c}",
        "{job_id!r}",
        "{job_id:{seed}}",
        "{job_id:/>40}",
        "{job_id:>1000000000}",
        "{index:100}",
        "{job}/",
    ],
)
def test_a_field_that_does_not_exist_is_refused(output):
    """
    Before anything is sent; the hint has the fields that do.
    """
    with pytest.raises(UsageError) as caught:
        OutputTarget.parse(output)

    assert "{job_id} {index} {ext}" in caught.value.hint


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("out.png", media.PNG),
        ("out.JPEG", media.JPEG),
        ("film.mp4", media.MP4),
        ("out", None),
        ("{slug}.{ext}", None),
        (None, None),
        ("-", None),
    ],
)
def test_a_name_promises_a_kind(output, kind):
    """
    By its extension, if it has one.
    """
    assert kind == OutputTarget.parse(output).media


def test_what_is_missing_has_a_word_for_it():
    """
    No name is empty.
    """
    naming = FilenameFields(time=NOW)

    assert Path("model-result-result-random.png") == named(
        "{model}-{slug}-{stem}-{seed}.png", naming=naming
    )


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("https://a.test/b/cat.png?X-Amz-Signature=secret.x", "cat"),
        ("https://a.test/?q=secret", "result"),
        ("https://a.test/b/cat.png#secret", "cat"),
        ("what?.png", "what"),
        ("standard input", "standard-input"),
    ],
)
def test_a_stem_is_no_query(source, stem):
    """
    The signature of a URL does not become part of a name.
    """
    name = named("{stem}.{ext}", naming=FilenameFields(time=NOW, source=source))
    assert Path(f"{stem}.png") == name


HOSTILE = st.text() | st.sampled_from(
    [
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "-rf",
        ".ssh",
        "CON",
        "com1.png",
        "é" * 300,
        "a" * 300,
        "nul",
        "lpt¹",
        "C:\\x",
        "\u202egnp",
        "a\nb",
        "\x1b[2J",
        "\udcff",
    ]
)
DEVICES = {"con", "prn", "aux", "nul", "com1", "lpt1", "lpt¹", "com²"}


@settings(max_examples=200)
@example(
    "é" * 300, "é" * 300, "é" * 300, ["x", ".", "{slug}", "{stem}", "{model}"], False
)
@given(
    prompt=HOSTILE,
    source=HOSTILE,
    model=HOSTILE,
    output=st.lists(
        st.sampled_from(["{slug}", "{stem}", "{model}", "{ext}", ".", "-", "x"]),
        min_size=1,
        max_size=5,
    ).filter(lambda parts: any("{" in part for part in parts)),
    several=st.booleans(),
)
def test_no_field_leads_out_of_the_folder(prompt, source, model, output, several):
    """
    Whatever is in the prompt, in names of files and in the answer: one name inside the
    folder, that no system and no program trips over.
    """
    naming = FilenameFields(time=NOW, prompt=prompt, source=source, model=model)

    path = named("out/" + "".join(output), naming=naming, several=several)
    [first, name] = path.parts

    assert "out" == first
    assert Path("out") == Path(os.path.normpath(path)).parent
    assert name[0] not in "-."
    assert len(os.fsencode(name)) <= 200
    assert name.partition(".")[0].lower() not in DEVICES
    assert not [char for char in name if not char.isprintable() or char in '/\\:*?"<>|']


def test_nothing_is_wrong_with_a_free_name(folder):
    """
    To look leaves nothing behind.
    """
    for output in (None, "out.png", "new/", "new/deep/{slug}.{ext}", "-"):
        OutputTarget.parse(output).check(count=1, force=False)

    assert [] == list(folder.iterdir())


@pytest.mark.parametrize(
    ("output", "count", "taken"),
    [
        ("out.png", 1, "out.png"),
        ("out.png", 3, "out-3.png"),
        ("x/{index}.png", 2, "x/2.png"),
    ],
)
def test_a_name_that_is_taken_is_found_before_anything_is_sent(
    folder, output, count, taken
):
    """
    Also the last of several; --force allows it.
    """
    (folder / taken).parent.mkdir(exist_ok=True)
    (folder / taken).write_bytes(b"old")
    target = OutputTarget.parse(output)

    with pytest.raises(TargetExistsError, match=taken):
        target.check(count=count, force=False)

    target.check(count=count, force=True)
    assert b"old" == (folder / taken).read_bytes()


def test_a_dangling_link_is_a_name_that_is_taken(folder):
    """
    It would lead the file elsewhere.
    """
    (folder / "out.png").symlink_to("nowhere")

    with pytest.raises(TargetExistsError):
        OutputTarget.parse("out.png").check(count=1, force=False)


@pytest.mark.parametrize(
    "output",
    [
        "missing/out.png",
        "file/out.png",
        "file/",
        "file/deep/{slug}.png",
        "x" * 300 + ".png",
        "x" * 300 + "/",
        "x" * 300 + "/{slug}.png",
        "x" * 5000,
        "/proc/out.png",
        "/proc/new/",
    ],
)
def test_a_place_that_takes_no_file_is_found_before_anything_is_sent(folder, output):
    """
    A missing folder, a file for a folder, names too long, a file system that takes
    none: each would be found out after paying otherwise.
    """
    (folder / "file").write_bytes(b"")

    with pytest.raises(StorageError):
        OutputTarget.parse(output).check(count=1, force=False)

    assert ["file"] == [path.name for path in folder.iterdir()]


def test_standard_output_takes_one_result():
    """
    Several would run into each other.
    """
    OutputTarget.parse("-").check(count=1, force=False)

    with pytest.raises(UsageError, match="one result"):
        OutputTarget.parse("-").check(count=2, force=False)


def test_standard_output_needs_a_place_for_what_is_not_whole_yet(monkeypatch):
    """
    Found out before it is paid for.
    """
    monkeypatch.setattr(tempfile, "tempdir", "/proc/none")
    with pytest.raises(StorageError, match="/proc/none"):
        OutputTarget.parse("-").check(count=1, force=False)

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", Path("/none").stat)
    with pytest.raises(StorageError, match="No writable folder for temporary files"):
        OutputTarget.parse("-").check(count=1, force=False)


def test_only_a_template_and_a_slash_make_folders(folder):
    """
    A brace alone is no field.
    """
    for output in ("x/{slug}.png", "x/"):
        OutputTarget.parse(output).check(count=1, force=False)
    for output in ("x/out.png", "x/a{{b}}.png"):
        with pytest.raises(StorageError, match="does not exist"):
            OutputTarget.parse(output).check(count=1, force=False)


def test_a_signature_in_a_prompt_is_in_no_name():
    """
    File names are seen by more people than prompts.
    """
    prompt = "like https://a.test/cat.png?X-Amz-Signature=s3cret"

    assert Path("like-https-a.test-cat.png.png") == named(
        "{slug}", naming=FilenameFields(time=NOW, prompt=prompt)
    )


def test_a_kind_that_cannot_be_written_is_refused():
    """
    Found out before it is paid for; TIFF is none of the results, but can be made.
    """
    OutputTarget.parse("out.tiff").check(count=1, force=False)

    with pytest.raises(UsageError, match=r"Cannot write \.heic"):
        OutputTarget.parse("out.heic").check(count=1, force=False)


@pytest.mark.parametrize(
    ("output", "feature"),
    [("a.avif", "avif"), ("{slug}.webp", "webp"), ("a.jpeg", "jpg"), ("a.png", "zlib")],
)
def test_a_picture_that_pillow_cannot_write_is_refused(output, feature, monkeypatch):
    """
    Not every Pillow has every codec; a film needs none.
    """
    monkeypatch.setattr("PIL.features.check", lambda name: name != feature)
    for other in ("a.tiff", "a.gif", "a.mp4", "{slug}", "results/"):
        OutputTarget.parse(other).check(count=1, force=False)

    with pytest.raises(UsageError, match="is installed without the codec") as caught:
        OutputTarget.parse(output).check(count=1, force=False)
    assert "Choose another extension" in caught.value.hint


def test_every_field_has_a_value():
    """
    What is documented can be used.
    """
    values = NAMING.values(job_id="j", index=1, extension="png")

    assert list(FIELDS) == list(values)
    assert "" not in values.values()


def test_a_brace_that_is_no_field_does_not_count_as_index(tmp_path, monkeypatch):
    """
    Two results never share a name.
    """
    monkeypatch.chdir(tmp_path)
    target = OutputTarget.parse("a{{index}}.{ext}")

    paths = {
        target.path(dict.fromkeys(FIELDS, "x") | {"index": index}, several=True)
        for index in (1, 2)
    }

    assert 2 == len(paths)


def test_check_of_many_names_in_a_missing_folder_looks_once(folder, monkeypatch):
    """
    No name is taken in a folder that does not exist, whatever its extension.
    """
    looked = []
    lexists = os.path.lexists
    monkeypatch.setattr(
        os.path, "lexists", lambda path: looked.append(path) or lexists(path)
    )
    target = OutputTarget.parse(f"{folder}/new/")

    target.check(count=50, force=False)

    assert len(looked) < 10


def test_check_of_a_name_in_a_folder_beside_missing_ones_finds_it(folder):
    """
    The extension is part of the folder: one of them exists, and has the name.
    """
    (folder / "webp").mkdir()
    (folder / "webp" / "1.png").touch()
    target = OutputTarget.parse(f"{folder}/{{ext}}/{{index}}.png")

    with pytest.raises(TargetExistsError):
        target.check(count=1, force=False)
