"""The bundled data and the reader of LIBSVM files."""

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from optzoo.problems import LeastSquares, breast_cancer, column_scales, libsvm

TEXT = """\
2 1:0.5 3:-4  # a comment
# nothing but a comment

1 2:1e1
2
"""
PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}


def write(folder: Path, text: str, name: str = "data") -> None:
    folder.joinpath(name).write_text(text)


@pytest.mark.parametrize("suffix", PACKERS)
def test_reads_plain_and_packed_files(tmp_path: Path, suffix: str) -> None:
    tmp_path.joinpath("data" + suffix).write_bytes(PACKERS[suffix](TEXT.encode()))
    for name in ("data", "data" + suffix):
        features, labels = libsvm(name, folder=tmp_path, scale=False)
        np.testing.assert_array_equal(features, [[0.5, 0, -4], [0, 10, 0], [0, 0, 0]])
        np.testing.assert_array_equal(labels, [1, -1, 1])
        assert features.dtype == labels.dtype == np.float64


def test_scaling_divides_each_column_by_its_largest_absolute_value(tmp_path: Path) -> None:
    write(tmp_path, "1 1:0.5 3:-4\n0 1:-0.25 4:0\n")
    features, labels = libsvm("data", folder=tmp_path)
    np.testing.assert_array_equal(features, [[1, 0, -1, 0], [-0.5, 0, 0, 0]])
    np.testing.assert_array_equal(labels, [1, -1])


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch) -> None:
    write(tmp_path, "+1 1:1\n-1 1:2\n", name="other.txt")
    monkeypatch.setenv("OPTZOO_DATA", str(tmp_path))
    features, labels = libsvm("other.txt", scale=False)
    np.testing.assert_array_equal(features, [[1], [2]])
    np.testing.assert_array_equal(labels, [1, -1])
    with pytest.raises(FileNotFoundError, match=r"files there: other\.txt"):
        libsvm("data")
    monkeypatch.setenv("OPTZOO_DATA", str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError, match=r"OPTZOO_DATA names is no directory: '.*missing'"):
        libsvm("data")
    for unset in (lambda: monkeypatch.setenv("OPTZOO_DATA", ""), monkeypatch.undo):
        unset()
        monkeypatch.delenv("OPTZOO_DATA", raising=False)
        with pytest.raises(FileNotFoundError, match="set the environment variable OPTZOO_DATA"):
            libsvm("data")


def test_a_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no 'a9a', 'a9a.gz' or 'a9a.bz2' .* none"):
        libsvm("a9a", folder=tmp_path)
    with pytest.raises(FileNotFoundError, match="folder is no directory"):
        libsvm("a9a", folder=tmp_path / "nowhere")


@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_archive_is_refused(tmp_path: Path, suffix: str, keep: float) -> None:
    rng = np.random.default_rng(0)
    text = "".join(f"{i % 2} 1:{rng.random()} 2:{rng.random()}\n" for i in range(500))
    packed = PACKERS[suffix](text.encode())
    tmp_path.joinpath("data" + suffix).write_bytes(packed[: int(keep * len(packed))])
    with pytest.raises(ValueError, match="truncated or damaged after line"):
        libsvm("data", folder=tmp_path)


@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
def test_a_damaged_archive_is_refused(tmp_path: Path, suffix: str) -> None:
    tmp_path.joinpath("data" + suffix).write_bytes(b"no archive at all")
    with pytest.raises(ValueError, match="truncated or damaged after line 0"):
        libsvm("data", folder=tmp_path)
    packed = bytearray(PACKERS[suffix](TEXT.encode() * 50))
    packed[len(packed) // 2] ^= 0xFF
    tmp_path.joinpath("data" + suffix).write_bytes(packed)
    with pytest.raises(ValueError, match=r"data\.\w+"):
        libsvm("data", folder=tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 1:2 x", "expected index:value, got 'x'"),
        ("1 -1:2", "expected index:value, got '-1:2'"),
        ("1 1:2:3", "value of index 1 must be a finite number, got '2:3'"),
        ("1 1:", "value of index 1 must be a finite number, got ''"),
        ("1 1:nan", "value of index 1 must be a finite number, got 'nan'"),
        ("1 1:1e999", "finite number, got '1e999'"),
        ("1 0:2", "indices must start at 1 and increase, got 0 after 0"),
        ("1 2:2 2:3", "got 2 after 2"),
        ("1 3:2 2:3", "got 2 after 3"),
        ("yes 1:2", "label must be a finite number, got 'yes'"),
        ("inf 1:2", "label must be a finite number, got 'inf'"),
        ("1 1:\xff", "finite number"),
        ("1 1:1_000", "value of index 1 must be a finite number, got '1_000'"),
        ("1_0 1:1", "label must be a finite number, got '1_0'"),
        ("1 1_0:1", "expected index:value, got '1_0:1'"),
        ("1 qid:3 1:1", "expected index:value, got 'qid:3'"),
        ("1 3000000000:1", "indices must be at most 2147483647, got 3000000000"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    tmp_path.joinpath("data").write_bytes(f"0 1:1\n\n{line}\n1 1:3\n".encode("latin-1"))
    with pytest.raises(ValueError, match=f"data, line 3: .*{message}"):
        libsvm("data", folder=tmp_path)


@pytest.mark.parametrize("as_sparse", [False, True])
def test_the_parts_of_a_data_set_are_aligned(tmp_path: Path, as_sparse: bool) -> None:
    write(tmp_path, "3 1:0.5 3:-4\n5 2:10\n", "train")
    write(tmp_path, "5 1:0.25\n", "test")
    raw, _ = libsvm("train", folder=tmp_path, scale=False, as_sparse=as_sparse)
    scales = column_scales(raw)
    np.testing.assert_array_equal(scales, [0.5, 10, 4])
    same, labels = libsvm("train", folder=tmp_path, scale=scales, as_sparse=as_sparse)
    features, signs = libsvm(
        "test", folder=tmp_path, scale=scales, num_features=3, classes=(3, 5), as_sparse=as_sparse
    )
    assert sparse.issparse(features) == sparse.issparse(same) == as_sparse
    if as_sparse:
        features, same = features.toarray(), same.toarray()
    np.testing.assert_array_equal(same, [[1, 0, -1], [0, 1, 0]])
    np.testing.assert_array_equal(features, [[0.5, 0, 0]])
    assert labels.tolist() == [-1.0, 1.0]
    assert signs.tolist() == [1.0]


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    write(tmp_path, "0 1:1\n\n1 4:1\n")
    for arguments, message in (
        ({"num_features": 3}, "data, line 3: indices must be at most 3, got 4"),
        ({"num_features": 0}, "num_features must be at least 1"),
        ({"scale": np.ones(3)}, r"scale must be a bool or have shape \(4,\), got \(3,\)"),
        ({"scale": np.zeros(4)}, "scale must be finite and positive"),
        ({"classes": (0, 2)}, r"must have the labels \(0, 2\) alone, got \[0.0, 1.0\]"),
        ({"classes": (1, 1)}, "two different labels"),
    ):
        with pytest.raises(ValueError, match=message):
            libsvm("data", folder=tmp_path, **arguments)
    write(tmp_path, "0 1:1\n1 2:1 2000000000:1\n", "wide")
    for as_sparse, size in ((False, "29.8 GiB where 8"), (True, "14.9 GiB a row where 8")):
        with pytest.raises(ValueError, match=f"wide: the index 2000000000 in line 2 .*{size}"):
            libsvm("wide", folder=tmp_path, as_sparse=as_sparse)
    rows = sparse.csr_array(np.eye(2))
    with pytest.raises(TypeError, match="features must be a dense table"):
        LeastSquares(rows, np.ones(2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 1:1\n1 1:2\n", r"exactly two labels, got \[1\.0\]"),
        ("1 1:1\n2 1:2\n3 1:2\n", r"exactly two labels, got \[1\.0, 2\.0, 3\.0\]"),
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("1\n0\n", "has no feature"),
    ],
)
def test_files_that_are_no_binary_problem_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path, text)
    with pytest.raises(ValueError, match=message):
        libsvm("data", folder=tmp_path)


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(2, 12),
    d=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    suffix=st.sampled_from(sorted(PACKERS)),
)
def test_what_is_written_is_read(
    n: int, d: int, seed: int, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    expected = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.6)
    expected[0] = 1.0  # the last column must occur for the width to be known
    classes = np.r_[1, -1, rng.choice([-1, 1], size=n - 2)]
    lines = (
        f"{label} "
        + " ".join(f"{j + 1}:{value!r}" for j, value in enumerate(row.tolist()) if value)
        for label, row in zip(classes, expected, strict=True)
    )
    folder = tmp_path_factory.mktemp("libsvm")
    folder.joinpath("data" + suffix).write_bytes(PACKERS[suffix]("\n".join(lines).encode()))
    features, labels = libsvm("data", folder=folder, scale=False)
    np.testing.assert_array_equal(features, expected)
    np.testing.assert_array_equal(labels, classes)


def test_breast_cancer() -> None:
    features, labels = breast_cancer()
    raw, same = breast_cancer(scale=False)
    assert features.shape == raw.shape == (569, 30)
    assert features.dtype == labels.dtype == np.float64
    np.testing.assert_array_equal(np.abs(features).max(axis=0), np.ones(30))
    np.testing.assert_allclose(features * np.abs(raw).max(axis=0), raw, rtol=1e-12)
    np.testing.assert_array_equal(labels, same)
    assert (labels == 1).sum() == 357
    assert (labels == -1).sum() == 212
