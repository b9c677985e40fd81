import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from snnc.errors import FileError
from snnc.files import SafeZip, npz_bytes, read_json, read_npz


def test_npz_round_trip_is_the_same_bytes(tmp_path):
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b/c": np.array([1, 2]),
        "empty": np.zeros((0, 3)),
        "one": np.array(2.0),
    }
    data = npz_bytes(arrays)
    assert data == npz_bytes(arrays)
    (tmp_path / "x.npz").write_bytes(data)
    back = read_npz(tmp_path / "x.npz")
    assert list(back) == list(arrays)
    assert all(np.array_equal(back[k], v) and back[k].dtype == v.dtype for k, v in arrays.items())
    assert [back[k].shape for k in arrays] == [v.shape for v in arrays.values()]


def test_numpys_own_files_are_read_fortran_order_and_compressed(tmp_path):
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez_compressed(tmp_path / "x.npz", x=x)
    assert np.array_equal(read_npz(tmp_path / "x.npz")["x"], x)


def test_a_pickle_inside_an_npz_is_refused_and_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    np.savez(tmp_path / "x.npz", x=np.array([Trap()], dtype=object))
    with pytest.raises(FileError, match="pickled Python objects"):
        read_npz(tmp_path / "x.npz")
    assert not (tmp_path / "sprung").exists()


def npz_entry(tmp_path, header: str, body: bytes) -> Path:
    text = header.encode().ljust(118, b" ") + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", data)
    return path


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }",
        "__import__('os').system('true')",
    ],
)
def test_a_lying_header_is_one_error_and_takes_no_memory(tmp_path, header):
    with pytest.raises(FileError, match=r"x\.npz"):
        read_npz(npz_entry(tmp_path, header, b"\0\0\0\0"))


@pytest.mark.parametrize("name", ["../evil.npy", "/etc/evil.npy", "a/../../evil.npy", "..\\evil.npy", "C:\\evil.npy"])
def test_an_entry_that_points_outside_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(FileError, match="points outside the archive"):
        SafeZip(tmp_path / "x.zip")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(100 << 20))
    with pytest.raises(FileError, match="zip bomb"):
        SafeZip(tmp_path / "x.zip")


def test_an_entry_that_lies_about_its_size_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"12345678")
    data = bytearray(buffer.getvalue())
    where = data.index(b"PK\x01\x02") + 24
    data[where : where + 4] = (4).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(FileError, match="not a readable zip|not as long as it says"), SafeZip(tmp_path / "x.zip") as z:
        z.read("a")


def test_json_nested_beyond_reason_is_one_error(tmp_path):
    with pytest.raises(FileError, match="beyond reason"):
        read_json(b"[" * 200_000, tmp_path / "x", "config")
