from __future__ import annotations

import base64
import errno
import hashlib
import io
import os
import stat
import tempfile
from pathlib import Path

import pytest
from conftest import png
from media.metadata.marked import WORD, chunk, heic, jpeg
from media.samples import SAMPLES, Sample, encoded
from PIL import Image

from krea_cli import media
from krea_cli.errors import Action, DownloadError, InputError, Step
from krea_cli.inputs import prepared_files
from krea_cli.inputs.local_file import RemoteFile
from krea_cli.inputs.resolver import InputResolver
from krea_cli.media import file_pieces

PICTURE = png()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """
    Files in a folder of their own, and temporary ones in another.
    """
    temporary = tmp_path / "temporary"
    work = tmp_path / "work"
    temporary.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return work


@pytest.fixture
def make():
    """
    Makes readers of image arguments, with these bytes on standard input.
    """
    made = []

    def make(stdin=b"", *, allows_loopback=False, **options):
        file = stdin if hasattr(stdin, "read") else io.BytesIO(stdin)
        made.append(
            InputResolver(lambda: file, allows_loopback=allows_loopback, **options)
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def refused(images, argument):
    with pytest.raises(InputError) as caught:
        images.read(str(argument))
    return caught.value.message


def content(image):
    with image.open() as file:
        return file.read()


def padded(size):
    """
    A picture of so many bytes, most of them in a chunk that is sent.
    """
    at = PICTURE.index(b"IEND") - 4
    zeros = bytes(size - len(PICTURE) - 12)
    return PICTURE[:at] + chunk(b"fdAT", zeros) + PICTURE[at:]


def test_a_path_is_a_checked_file(make, folder):
    """
    Its kind by its bytes, its hash, its size; the name is the user's.
    """
    (folder / "photo.jpg").write_bytes(PICTURE)

    image = make().read("photo.jpg")

    assert ("photo.jpg", media.PNG) == (image.name, image.media)
    assert (hashlib.sha256(PICTURE).hexdigest(), len(PICTURE)) == (
        image.sha256,
        image.size_bytes,
    )
    assert PICTURE == content(image)


@pytest.mark.parametrize("name", ["-x.png", "\udcff.png", 'a"\r\n.png', "http:", "ü"])
def test_a_path_may_have_any_name(make, folder, name):
    """
    Also one that looks like something else.
    """
    (folder / name).write_bytes(PICTURE)

    assert PICTURE == content(make().read(f"./{name}"))


def test_standard_input_is_kept_in_a_file(make):
    """
    It can be read once only, and may be needed again.
    """
    image = make(PICTURE).read("-")

    assert ("standard input", media.PNG) == (image.name, image.media)
    assert PICTURE == content(image) == content(image)


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64," + base64.b64encode(PICTURE).decode(),
        "DATA:;BASE64," + base64.b64encode(PICTURE).decode(),
        "data:image/jpeg," + "".join(f"%{byte:02x}" for byte in PICTURE),
    ],
)
def test_a_data_uri_is_decoded(make, uri):
    """
    In base64 or not; its bytes say what it is.
    """
    image = make().read(uri)

    assert ("the data URI", media.PNG, PICTURE) == (
        image.name,
        image.media,
        content(image),
    )


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64,!!!!",
        "data:image/png;base64,AAA",
        "data:image/png;base64,\udcff",
        "data:image/png",
        "data:,",
        "data:,hello",
    ],
)
def test_a_data_uri_that_is_no_image_is_refused(make, uri):
    """
    Broken, empty, or text.
    """
    assert "data URI" in refused(make(), uri)


@pytest.mark.parametrize("url", ["https://a.test/x.jpg?q=1", "HTTPS://a.test/x"])
def test_a_url_is_left_to_the_service(make, url):
    """
    Nothing is fetched.
    """
    assert RemoteFile(url) == make().read(url)


@pytest.mark.parametrize("url", ["http://a.test/x.jpg", "https://", "https://[::1/"])
def test_a_url_that_cannot_be_fetched_is_refused(make, url):
    """
    Only https, and only with a host.
    """
    assert url in refused(make(), url)


def test_a_local_service_may_be_given_http(make):
    """
    As its own uploads are.
    """
    url = "http://127.0.0.1:8787/uploads/1"

    assert RemoteFile(url) == make(allows_loopback=True).read(url)
    # A name may begin as such an address does.
    elsewhere = make(allows_loopback=True)
    assert "does not start with https://" in refused(
        elsewhere, "http://127.0.0.1.example.com/1.png"
    )


def test_a_missing_file_is_told(make):
    """
    By the name that the user gave.
    """
    assert "File no.png does not exist." == refused(make(), "no.png")
    assert "File 'krea' does not exist." == refused(make(), "krea")


def test_an_empty_file_is_told(make, folder):
    """
    It is a file, and no image.
    """
    (folder / "a.png").touch()

    assert "a.png is empty." == refused(make(), "a.png")


def test_a_folder_is_told(make, folder):
    """
    Not as an error of the system.
    """
    with pytest.raises(InputError, match="is a folder, not an image") as caught:
        make().read(str(folder))

    assert (Step(Action.EDIT_FOLDER, (str(folder),)),) == caught.value.advice


@pytest.mark.posix
def test_a_fifo_is_refused_without_waiting(make, folder):
    """
    Nobody may ever write to it.
    """
    os.mkfifo(folder / "pipe")

    assert "pipe is a pipe or device, not a regular file." == refused(make(), "pipe")


@pytest.mark.parametrize(
    ("options", "word"), [({}, "-i -"), ({"stdin_option": "@-"}, "@-")]
)
def test_a_pipe_is_refused_with_the_way_that_works(make, options, word):
    """
    A shell's <(...) and a piped /dev/stdin cannot be read twice.
    """
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer), pytest.raises(InputError) as caught:
        make().read(f"/proc/self/fd/{reader}", **options)

    assert f"Pass it on standard input: {word}" == caught.value.hint


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(make, device):
    """
    It may have no end.
    """
    assert f"{device} is a pipe or device, not a regular file." == refused(
        make(), device
    )


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "loop"])
def test_a_name_that_leads_nowhere_is_told(make, folder, name):
    """
    A zero byte, too many characters, a link to itself.
    """
    (folder / "loop").symlink_to("loop")

    assert "Cannot read " in refused(make(), name)


def test_an_unreadable_file_is_told(make, folder, monkeypatch):
    """
    With the reason.  Root reads everything, so the system's answer is put in its mouth.
    """
    (folder / "a.png").write_bytes(PICTURE)

    def open_nothing(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "open", open_nothing)

    assert "Cannot read a.png: Permission denied." == refused(make(), "a.png")


def test_a_file_of_80_mb_is_refused_unread(make, folder):
    """
    By its size alone; exactly 75 MB are allowed.
    """
    with (folder / "big.png").open("wb") as file:
        file.write(PICTURE)
        file.truncate(80_000_000)

    assert "big.png is 80.0 MB; Krea accepts up to 75 MB." == refused(make(), "big.png")
    os.truncate(folder / "big.png", 75_000_000)
    image = make(keeps_metadata=True).read("big.png")
    assert 75_000_000 == image.size_bytes


def test_standard_input_without_end_is_refused(make):
    """
    As soon as it is too much, and what was kept of it goes with the rest.
    """
    with Path("/dev/zero").open("rb") as zeros:
        said = refused(make(zeros), "-")

    assert "standard input is more than 75.0 MB; Krea accepts up to 75 MB." == said


@pytest.mark.parametrize(
    "data", [b"hello", b"<svg xmlns='x'/>", b"%PDF-1.7", b"\x89PN", bytes(100)]
)
def test_a_file_that_is_no_image_is_refused(make, folder, data):
    """
    Whatever its name says.
    """
    (folder / "a.png").write_bytes(data)

    assert "a.png is not a JPEG, PNG, WebP or HEIC image" in refused(make(), "a.png")


@pytest.mark.parametrize("kind", ["GIF", "AVIF", "TIFF"])
def test_an_image_that_the_service_does_not_take_is_named(make, folder, kind):
    """
    With the kinds to convert it to.
    """
    (folder / "a.png").write_bytes(encoded(kind))

    assert f"a.png is {kind}, which Krea does not accept." == refused(make(), "a.png")


def test_a_temporary_folder_that_is_full_is_told(make, monkeypatch):
    """
    Or is not there at all: nothing was sent, and it is no bug.
    """
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")

    assert "Cannot copy standard input" in refused(make(PICTURE), "-")


def test_a_folder_as_standard_input_is_told(make):
    """
    A shell can do that, and reading it is an error.
    """
    descriptor = os.open("/", os.O_RDONLY)

    class Stdin:
        def read(self, size):
            return os.read(descriptor, size)

    said = refused(make(Stdin()), "-")
    os.close(descriptor)

    assert "Cannot copy standard input to the temporary folder: Is a directory." == said


def test_what_is_kept_is_private_and_goes_with_the_run(make, tmp_path):
    """
    One folder for the user alone, gone when all is done.
    """
    images = make(PICTURE)
    image = images.read("-")
    [kept] = (tmp_path / "temporary").iterdir()

    assert 0o700 == stat.S_IMODE(kept.stat().st_mode)
    assert 0o600 == stat.S_IMODE(image.path.stat().st_mode)
    images.close()
    images.close()
    assert [] == list((tmp_path / "temporary").iterdir())


def test_a_refused_image_is_kept_no_longer_than_the_run(make, tmp_path):
    """
    Also when it was found out late.
    """
    images = make(b"hello")

    refused(images, "-")
    images.close()

    assert [] == list((tmp_path / "temporary").iterdir())


def test_a_file_that_went_away_is_told(make, folder):
    """
    Between the look at it and its upload.
    """
    (folder / "a.png").write_bytes(PICTURE)
    image = make().read("a.png")
    (folder / "a.png").unlink()

    for use in (lambda: content(image), lambda: list(image.data_uri())):
        with pytest.raises(InputError, match=r"a\.png: No such file"):
            use()


def test_a_local_image_is_read_without_its_metadata(make, folder):
    """
    From a file, standard input or a data URI: the hash is that of what will be sent,
    the name is the user's, and the file on disk stays as it is.
    """
    before = jpeg()
    (folder / "a.jpg").write_bytes(before)
    uri = "data:image/jpeg;base64," + base64.b64encode(before).decode()
    images = make(before)

    read = [images.read(argument) for argument in ("a.jpg", "-", uri)]

    [sent] = {content(image) for image in read}
    assert WORD not in sent
    assert ["a.jpg", "standard input", "the data URI"] == [image.name for image in read]
    assert {(hashlib.sha256(sent).hexdigest(), len(sent))} == {
        (image.sha256, image.size_bytes) for image in read
    }
    assert before == (folder / "a.jpg").read_bytes()


def test_metadata_is_kept_on_request(make, folder):
    """
    To the letter, from where the file is.
    """
    (folder / "a.jpg").write_bytes(jpeg())

    image = make(keeps_metadata=True).read("a.jpg")

    assert (Path("a.jpg"), jpeg()) == (image.path, content(image))


def test_a_file_without_metadata_is_not_copied(make, folder):
    """
    It is sent from where it is.
    """
    (folder / "a.png").write_bytes(PICTURE)

    assert Path("a.png") == make().read("a.png").path


def test_what_was_fetched_is_kept_to_the_letter(make):
    """
    It is on the web already.
    """
    assert jpeg() == content(make().keep("https://a.test/x.jpg", iter([jpeg()])))


def test_a_damaged_file_is_sent_only_on_request(make, folder):
    """
    Nobody knows what is in it.
    """
    broken = heic().replace(b"iloc\0\0\0\0\x44", b"iloc\0\0\0\0\x08", 1)
    (folder / "a.heic").write_bytes(broken)

    said = refused(make(), "a.heic")

    assert "Cannot remove the metadata of a.heic" in said
    assert make(keeps_metadata=True).read("a.heic").size_bytes


SENT = [sample for sample in SAMPLES if sample.media in media.UPLOAD_TYPES]
SENT.append(Sample("heic", media.HEIC, heic()))


@pytest.mark.parametrize("keeps_metadata", [False, True])
@pytest.mark.parametrize("sample", SENT, ids=lambda sample: sample.name)
def test_a_whole_file_is_sent_and_a_cut_one_refused(
    make, folder, sample, keeps_metadata
):
    """
    However it is given: the service would bill the job all the same.
    """
    for part, is_whole in ((sample.content, True), (sample.content[:-20], False)):
        (folder / "a").write_bytes(part)
        data = base64.b64encode(part).decode()
        uri = f"data:application/octet-stream;base64,{data}"
        for argument in ("a", "-", uri):
            images = make(part, keeps_metadata=keeps_metadata)
            if is_whole:
                assert sample.media == images.read(argument).media
                continue
            with pytest.raises(InputError, match="is incomplete or damaged") as caught:
                images.read(argument)
            assert "save it again" in caught.value.hint


def test_a_jpeg_without_its_last_marker_is_refused(make, folder):
    """
    Viewers show it, but nobody knows how much of it is missing.
    """
    (folder / "a.jpg").write_bytes(jpeg()[: jpeg().rindex(b"\xff\xd9")])

    assert "a.jpg is incomplete or damaged" in refused(make(), "a.jpg")


def test_what_a_camera_puts_behind_a_picture_is_no_damage(make, folder):
    """
    A film or a note of the maker, which are not sent.
    """
    (folder / "a.jpg").write_bytes(encoded("JPEG") + b"SEFT" + bytes(999) + b"x")

    assert encoded("JPEG") == content(make().read("a.jpg"))


def test_a_file_of_too_many_parts_is_refused(make, folder, monkeypatch):
    """
    To follow them all would take too long.
    """
    monkeypatch.setattr("krea_cli.media.reader.MAX_PARTS", 100)
    whole = encoded("PNG")
    crowd = whole[:33] + chunk(b"teSt", b"") * 100 + whole[33:]
    (folder / "a.png").write_bytes(crowd)

    assert "too many parts" in refused(make(), "a.png")


def test_a_file_that_changes_while_it_is_copied_is_refused(make, folder, monkeypatch):
    """
    Half of one picture and half of another are neither.
    """
    (folder / "a.jpg").write_bytes(jpeg())

    def copying(source, pieces, target):
        file_pieces.copy(source, pieces, target)
        (folder / "a.jpg").write_bytes(jpeg(3)[:-1])

    monkeypatch.setattr(prepared_files, "copy", copying)

    assert "a.jpg changed while it was being read." == refused(make(), "a.jpg")


def wide(name):
    """
    A picture with more pixels on a side than are taken.
    """
    if name == "heic":
        size = b"ispe" + bytes(4) + (64).to_bytes(4)
        return heic().replace(size, size[:-4] + (20_000).to_bytes(4), 1)
    return encoded(name.upper(), Image.new("L", (20_000, 9)))


@pytest.mark.parametrize("name", ["png", "jpeg", "heic"])
def test_too_many_pixels_on_a_side_are_told(make, folder, name):
    """
    With the size, and what would help; also when its metadata is not looked at.
    """
    (folder / "a").write_bytes(wide(name))
    hint = "Convert it to JPEG" if name == "heic" else "Add --fit"

    for keeps in (False, True):
        with pytest.raises(InputError) as caught:
            make(keeps_metadata=keeps).read("a")

        assert "a is 20000x" in caught.value.message
        assert "Krea accepts up to 16,384 pixels per side." in caught.value.message
        assert caught.value.hint.startswith(hint)


def test_the_most_pixels_on_a_side_are_taken(make, folder):
    """
    The limit itself is within.
    """
    (folder / "a.png").write_bytes(encoded("PNG", Image.new("L", (9, 16_384))))

    assert make().read("a.png")


def test_an_image_that_is_too_large_is_fitted(make, folder):
    """
    From a file, standard input or a URL, of too many pixels or too many bytes; what is
    within the limits is left alone.
    """
    fitted = []

    def fit(image, target):
        fitted.append(image.name)
        target.write(PICTURE)

    (folder / "wide.png").write_bytes(wide("png"))
    (folder / "heavy.png").write_bytes(padded(80_000_000))
    (folder / "good.png").write_bytes(PICTURE)
    images = make(wide("jpeg"), fit=fit)

    read = [images.read(name) for name in ("wide.png", "heavy.png", "good.png", "-")]
    read.append(images.keep("https://a.test/b", iter([wide("png")])))

    assert ["wide.png", "heavy.png", "standard input", "https://a.test/b"] == fitted
    assert {PICTURE} == {content(image) for image in read}
    assert "wide.png" == read[0].name


@pytest.mark.parametrize(
    ("name", "message"),
    [("heic", "20000x48"), ("heavy", "is 600.0 MB")],
)
def test_what_cannot_be_fitted_is_told(make, folder, name, message):
    """
    Of a kind that nobody can read here, or more than fits into memory.
    """
    if name == "heic":
        (folder / "a").write_bytes(wide(name))
    else:
        with (folder / "a").open("wb") as file:
            file.write(PICTURE)
            file.truncate(600_000_000)

    assert message in refused(make(fit=lambda *_: None), "a")


def test_a_picture_that_fails_to_be_fitted_is_the_users_to_mend(make, folder):
    """
    Nothing was sent, so it is no failed download.
    """
    (folder / "a.png").write_bytes(wide("png"))

    def fit(image, target):
        raise DownloadError("it is an animation.")

    said = refused(make(fit=fit), "a.png")

    assert "Cannot scale down a.png: it is an animation." == said
