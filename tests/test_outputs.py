"""What is written replaces nothing but results of snnc, whenever it is interrupted."""

import io
import json
import os
import stat
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from snnc import replacing
from snnc.errors import FileError
from snnc.files import npz_bytes, read_npz
from snnc.outputs import MARK, Kind, marked, new_folder, write_file, write_files, write_folder, write_manifest
from snnc.replacing import recover

KIND = Kind("a box", "box.json", "box", ("box.json", "a", "b"))
BOX = {"box.json": b'{"format": "box"}', "a": b"old"}
NEW = {"box.json": b'{"format": "box"}', "a": b"new", "b": b""}


def contents(folder):
    """Return the content of every file in a folder, by its path there; ``None`` for what is no file."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.fixture
def box(tmp_path):
    write_folder(tmp_path / "box", BOX, KIND)
    return tmp_path / "box"


# folders


def test_a_folder_is_made_with_its_parents_and_replaced_as_a_whole(tmp_path):
    out = tmp_path / "deep" / "out"
    for files in (BOX, NEW, BOX):
        write_folder(out, files, KIND)
        assert contents(out) == files
        assert [p.name for p in out.parent.iterdir()] == ["out"]
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "empty", BOX, KIND)
    assert contents(tmp_path / "empty") == BOX


FOREIGN = {
    "a text": lambda box: (box / "thesis.tex").write_text("x"),
    "a folder": lambda box: (box / ".git").mkdir(),
    "a file in a folder": lambda box: ((box / "a").unlink(), (box / "a").mkdir(), (box / "a" / "b").write_text("x")),
    "a link": lambda box: ((box / "a").unlink(), (box / "a").symlink_to("/")),
    "a pipe": lambda box: ((box / "a").unlink(), os.mkfifo(box / "a")),
    "a manifest of another": lambda box: (box / "box.json").write_text('{"format": "other"}'),
    "a manifest that is none": lambda box: (box / "box.json").write_text("[" * 100_000),
    "a manifest that is a list": lambda box: (box / "box.json").write_text("[]"),
    "a manifest that is a pipe": lambda box: ((box / "box.json").unlink(), os.mkfifo(box / "box.json")),
    "no manifest": lambda box: (box / "box.json").unlink(),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_folder_that_holds_anything_else_is_not_replaced(box, what):
    FOREIGN[what](box)
    before = contents(box)
    with pytest.raises(FileError, match="so it is not replaced") as refused:
        write_folder(box, NEW, KIND)
    assert "\n" not in str(refused.value)
    assert contents(box) == before
    assert [p.name for p in box.parent.iterdir()] == ["box"]


def test_what_is_in_the_way_is_named(box):
    (box / "thesis.tex").write_text("x")
    with pytest.raises(FileError, match=r"holds 'thesis\.tex', which is no part of a box"):
        write_folder(box, NEW, KIND)
    (box / "box.json").unlink()
    with pytest.raises(FileError, match=r"exists and is not a box, so it is not replaced: no box\.json there says"):
        write_folder(box, NEW, KIND)
    (box.parent / "file").write_text("x")
    with pytest.raises(FileError, match="exists and is not a box, so it is not replaced"):
        write_folder(box.parent / "file", NEW, KIND)


def test_a_folder_whose_manifest_says_what_it_holds(tmp_path):
    kind, out = Kind("a bag", "bag.json", "bag"), tmp_path / "bag"
    for _ in range(2):
        with new_folder(out, kind) as part:
            (part / "deep").mkdir()
            (part / "deep" / "a").write_text("x")
            (part / "empty").mkdir()
            write_manifest(part, kind)
        assert json.loads((out / "bag.json").read_text())["files"] == ["deep/a", "empty/", "bag.json"]
    (out / "deep" / "mine").write_text("x")
    with pytest.raises(FileError, match="holds 'deep/mine'"), new_folder(out, kind):
        pass


def test_what_is_read_is_not_replaced_and_nothing_is_put_into_it(box):
    for place, how in ((box, "is what is read"), (box / "new", "lies in"), (box.parent, "holds")):
        with pytest.raises(FileError, match=how):
            write_folder(place, NEW, KIND, reads=[box])
    with pytest.raises(FileError, match="lies in"):
        write_file(box / "c", b"", reads=[box])
    assert contents(box) == BOX


def test_the_folder_that_we_are_in_is_not_replaced(box, monkeypatch):
    monkeypatch.chdir(box)
    for place in (".", box, "../box"):
        with pytest.raises(FileError, match="is the folder that you are in"):
            write_folder(Path(place), NEW, KIND)
    write_folder(Path("../other"), NEW, KIND)
    assert contents(box.parent / "other") == NEW


def test_in_a_folder_that_was_deleted_whole_paths_work_and_others_are_refused(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    write_folder(tmp_path / "out", BOX, KIND)
    write_file(tmp_path / "file", b"x")
    for write in (lambda: write_folder(Path("out"), BOX, KIND), lambda: write_file(Path("file"), b"x")):
        with pytest.raises(FileError, match="No such file or directory"):
            write()


def test_a_link_to_a_folder_stays_and_what_is_behind_it_is_replaced(box):
    (box.parent / "link").symlink_to(box)
    (box.parent / "dangling").symlink_to("later")
    for name, place in (("link", box), ("dangling", box.parent / "later")):
        write_folder(box.parent / name, NEW, KIND)
        assert (box.parent / name).is_symlink()
        assert contents(place) == NEW


def test_a_failed_write_leaves_the_old_and_nothing_else(tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_folder(out, BOX, KIND)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for place in (out, tmp_path / "new" / "deep"):
        with pytest.raises(FileError, match="No space left on device; nothing was left behind"):
            write_folder(place, NEW, KIND)
    with pytest.raises(FileError, match="No space left on device; nothing was left behind"):
        write_file(tmp_path / "file", b"x")
    assert contents(out) == BOX
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_killed_processes_left_is_cleared_and_what_a_living_one_writes_is_not(tmp_path):
    (tmp_path / ".out.0123abcd.snnc-part").mkdir()
    (tmp_path / ".out.0123abcd.snnc-part" / "a").write_text("x")
    (tmp_path / ".out.4567abcd.snnc-part").write_text("x")
    other = tmp_path / ".out2.0123abcd.snnc-part"
    other.mkdir()
    with new_folder(tmp_path / "out", KIND) as living:
        (living / "a").write_text("living")
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted([living.name, other.name])
        write_folder(tmp_path / "out", BOX, KIND)
        assert (living / "a").read_text() == "living"
        (living / "box.json").write_text('{"format": "box"}')
    assert contents(tmp_path / "out")["a"] == b"living"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["out", other.name])


def test_many_that_write_one_folder_all_end_well(tmp_path):
    out, errors = tmp_path / "out", []

    def write(i):
        try:
            for _ in range(20):
                write_folder(out, {**BOX, "a": str(i).encode()}, KIND)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert contents(out).keys() == BOX.keys()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


class Killed(BaseException):
    """A process that ends at once: nothing is tidied up."""


def test_where_names_cannot_be_exchanged_the_next_one_puts_the_old_folder_back(box, monkeypatch):
    monkeypatch.setattr(replacing, "_exchange", lambda *_: False)
    write_folder(box, NEW, KIND)
    assert contents(box) == NEW
    assert [p.name for p in box.parent.iterdir()] == ["box"]
    rename, renamed = os.rename, []

    def killed_behind_the_first(a, b):
        if renamed:
            raise Killed
        if b != box:
            renamed.append(b)
        rename(a, b)

    monkeypatch.setattr(os, "rename", killed_behind_the_first)
    monkeypatch.setattr(replacing, "_remove", lambda _: None)
    with pytest.raises(Killed):
        write_folder(box, BOX, KIND)
    monkeypatch.undo()
    assert not box.exists()
    recover(box)
    assert contents(box) == NEW
    write_folder(box, BOX, KIND)
    assert contents(box) == BOX
    assert [p.name for p in box.parent.iterdir()] == ["box"]


# files


def test_a_file_is_replaced_only_if_it_is_a_result(tmp_path):
    file = tmp_path / "x.npz"
    write_file(file, npz_bytes({"y": np.ones(3)}, MARK))
    write_file(file, npz_bytes({"y": np.zeros(3)}, MARK))
    assert np.array_equal(read_npz(file)["y"], np.zeros(3))
    assert np.array_equal(np.load(file)["y"], np.zeros(3))
    np.savez(file, y=np.ones(3))
    mine = file.read_bytes()
    with pytest.raises(FileError, match="is no result of snnc, so it is not replaced; .*--force"):
        write_file(file, b"new")
    assert file.read_bytes() == mine
    write_file(file, b"new", force=True)
    assert file.read_bytes() == b"new"
    (tmp_path / "empty").touch()
    write_file(tmp_path / "empty", b"new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "x.npz"]


def test_what_is_read_is_not_replaced_by_force_either(tmp_path):
    write_file(tmp_path / "x", MARK)
    (tmp_path / "link").symlink_to("x")
    os.link(tmp_path / "x", tmp_path / "other name")
    for name in ("x", "link", "other name"):
        with pytest.raises(FileError, match="is what is read"):
            write_file(tmp_path / name, b"", force=True, reads=[tmp_path / "x"])


@pytest.mark.parametrize("name", ["no/a", "a" * 300, "a\0b", "a\ud800", "file/a", "loop", "folder"])
def test_names_that_cannot_be_written_are_one_error(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(FileError):
        write_file(tmp_path / name, b"x")
    if name not in ("no/a", "folder"):
        with pytest.raises(FileError):
            write_folder(tmp_path / name, BOX, KIND)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_link_a_pipe_and_a_device_are_written_through(tmp_path):
    write_file(tmp_path / "real", MARK)
    (tmp_path / "link").symlink_to("real")
    write_file(tmp_path / "link", b"new" + MARK)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new" + MARK
    (tmp_path / "null").symlink_to("/dev/null")
    write_file(tmp_path / "null", b"new")
    assert (tmp_path / "null").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_file(tmp_path / "pipe", bytes(1 << 20))
    reader.join()
    assert got == [bytes(1 << 20)]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
def test_a_full_device_is_one_error():
    with pytest.raises(FileError, match="No space left on device"):
        write_file(Path("/dev/full"), b"x")


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700), (0o002, 0o664, 0o775)]
)
def test_the_umask_is_kept(tmp_path, umask, file, folder):
    before = os.umask(umask)
    try:
        write_file(tmp_path / "file", b"x")
        write_folder(tmp_path / "box", BOX, KIND)
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"file": file, "box": folder, "a": file, "box.json": file}


def test_several_files_are_written_beside_others_or_none_is(tmp_path):
    files = {"a.txt": b"text", "b.json": b'{"x": [1]}', "c.svg": b"<svg></svg>\n"}
    (tmp_path / "mine.png").write_bytes(b"x")
    for _ in range(2):
        write_files(tmp_path, files)
    assert json.loads((tmp_path / "b.json").read_text())["x"] == [1]
    (tmp_path / "c.svg").write_bytes(b"mine")
    before = contents(tmp_path)
    with pytest.raises(FileError, match=r"c\.svg: exists and is no result"):
        write_files(tmp_path, {**files, "a.txt": b"other"})
    assert contents(tmp_path) == before
    write_files(tmp_path, files, force=True)
    assert (tmp_path / "mine.png").read_bytes() == b"x"


def test_a_marked_picture_is_still_one():
    pytest.importorskip("matplotlib")
    from matplotlib import image

    data = io.BytesIO()
    image.imsave(data, np.zeros((3, 4, 3)), format="png")
    picture = marked("a.png", data.getvalue())
    assert MARK in picture[:200]
    assert image.imread(io.BytesIO(picture)).shape[:2] == (3, 4)
    at = picture.index(b"tEXtSoftware") - 4
    length = int.from_bytes(picture[at : at + 4], "big")
    assert zlib.crc32(picture[at + 4 : at + 8 + length]) == int.from_bytes(picture[at + 8 + length :][:4], "big")
