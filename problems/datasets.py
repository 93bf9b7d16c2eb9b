# SPDX-License-Identifier: Apache-2.0
"""Real data: what scikit-learn bundles, for classification and regression, and LIBSVM files."""

import bz2
import gzip
import os
import zlib
from array import array
from pathlib import Path
from typing import IO, Literal, overload

import numpy as np
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes

from ._arguments import check_scalar, check_size

__all__ = ["breast_cancer", "column_scales", "diabetes", "libsvm"]

_SUFFIXES = ("", ".gz", ".bz2")
# The largest table, in bytes; and the largest index, that of LIBSVM's own programs.
_LARGEST = 2**33
_LARGEST_INDEX = 2**31 - 1


def breast_cancer(scale: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The Wisconsin diagnostic breast cancer data that scikit-learn ships: n = 569, d = 30.

    Args:
        scale: divide each column by its largest absolute value, so that all entries lie in
            [0, 1]. No column is centred, rows keep their lengths, and no intercept is added.

    Returns:
        features: float64, shape (569, 30).
        labels: float64, shape (569,); +1 for benign, -1 for malignant.

    Example:
        >>> features, labels = breast_cancer()
        >>> features.shape, float(features.max()), int((labels == 1).sum())
        ((569, 30), 1.0, 357)
    """
    features, classes = load_breast_cancer(return_X_y=True)
    labels = np.where(classes == 1, 1.0, -1.0)
    features = np.asarray(features, dtype=np.float64)
    return features / column_scales(features) if scale else features, labels


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """The diabetes regression data that scikit-learn ships: n = 442, d = 10.

    Returns:
        features: float64, shape (442, 10), each column with mean 0 and variance 1.
        targets: the progression of the disease in a year, float64, shape (442,), with mean 0 and
            variance 1.

    Example:
        >>> features, targets = diabetes()
        >>> features.shape, float(abs(features.std(axis=0) - 1).max()) < 1e-12
        ((442, 10), True)
    """
    features, targets = load_diabetes(return_X_y=True)
    return (
        (features - features.mean(axis=0)) / features.std(axis=0),
        (targets - targets.mean()) / targets.std(),
    )


@overload
def libsvm(
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    scale: bool | np.ndarray = True,
    num_features: int | None = None,
    classes: tuple[float, float] | None = None,
    as_sparse: Literal[False] = False,
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def libsvm(
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    scale: bool | np.ndarray = True,
    num_features: int | None = None,
    classes: tuple[float, float] | None = None,
    as_sparse: Literal[True],
) -> tuple[sparse.csr_array, np.ndarray]: ...
def libsvm(
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    scale: bool | np.ndarray = True,
    num_features: int | None = None,
    classes: tuple[float, float] | None = None,
    as_sparse: bool = False,
) -> tuple[np.ndarray | sparse.csr_array, np.ndarray]:
    r"""Read a binary classification problem in LIBSVM format, plain or packed with gzip or bzip2.

    A line is `label index:value index:value ...` with increasing indices that start at 1;
    what follows a `#` is a comment. Nothing is downloaded.

    The parts of one data set are aligned by `num_features`, `classes` and `scale`: a test part
    may lack the last columns or a class, and its own largest values are not those of the training
    part.

    Args:
        name: file name, with or without its suffix .gz or .bz2.
        folder: where the file lies, by default the folder that the environment variable
            OPTZOO_DATA names.
        scale: divide each column by its largest absolute value (a column of zeros stays). No
            column is centred, so that zeros stay zeros, and rows keep their lengths. An array
            (d,) holds the numbers to divide by: `column_scales` of the training part.
        num_features: d, at least the largest index in the file; by default that index.
        classes: the label that becomes -1 and the one that becomes +1; by default the two labels
            in the file, the smaller one first.
        as_sparse: return the rows as a `scipy.sparse.csr_array`. The problems of this package
            gather rows inside compiled code and take dense tables.

    Returns:
        features: float64, shape (n, d).
        labels: float64, shape (n,), of -1 and +1.

    Raises:
        FileNotFoundError: if OPTZOO_DATA is needed and unset, or the folder or the file is missing.
        ValueError: if the file is truncated or damaged, a line is malformed, an index exceeds
            `num_features` (the line is named), the table would take more than 8 GiB, the scales are
            not d positive numbers, or the labels are not two.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "train").write_text("1 1:0.5\n2 2:4\n")
        ...     _ = pathlib.Path(folder, "test").write_text("2 1:0.25\n")
        ...     raw, _ = libsvm("train", folder=folder, scale=False)
        ...     features, labels = libsvm("test", folder=folder, num_features=2,
        ...                               classes=(1, 2), scale=column_scales(raw))
        >>> features.tolist(), labels.tolist()
        ([[0.5, 0.0]], [1.0])
    """
    path = _find(name, folder)
    if num_features is not None:
        check_size("num_features", num_features)
    classes_in_file, table = _parse(path, num_features, as_sparse)
    labels = _as_signs(path, classes_in_file, classes)
    if isinstance(scale, bool | np.bool_):
        divisors = column_scales(table) if scale else None
    else:
        divisors = np.asarray(scale, dtype=np.float64)
        if divisors.shape != table.shape[1:]:
            raise ValueError(
                f"scale must be a bool or have shape ({table.shape[1]},), got {divisors.shape}"
            )
        check_scalar("scale", divisors, positive=True)
    if divisors is not None:
        table.data /= divisors[table.indices]
    return table if as_sparse else table.toarray(), labels


def column_scales(features: np.ndarray | sparse.csr_array) -> np.ndarray:
    """The largest absolute value of each column, 1 for a column of zeros.

    Args:
        features: shape (n, d), dense or sparse.

    Returns:
        float64, shape (d,), positive.

    Example:
        >>> column_scales(np.array([[0.5, 0.0], [-2.0, 0.0]])).tolist()
        [2.0, 1.0]
    """
    largest = abs(features).max(axis=0)
    dense = np.asarray(largest.toarray() if sparse.issparse(largest) else largest, np.float64)
    return np.where(dense > 0, dense, 1.0).reshape(-1)


def _as_signs(path: Path, found: list[float], classes: tuple[float, float] | None) -> np.ndarray:
    distinct = sorted(set(found))
    if classes is None:
        if len(distinct) != 2:
            raise ValueError(f"{path} must have exactly two labels, got {distinct[:10]}")
        classes = (distinct[0], distinct[1])
    elif len(set(classes)) != 2:
        raise ValueError(f"classes must be two different labels, got {classes}")
    elif not set(distinct) <= set(classes):
        raise ValueError(f"{path} must have the labels {classes} alone, got {distinct[:10]}")
    return np.where(np.asarray(found) == classes[1], 1.0, -1.0)


def _find(name: str, folder: str | os.PathLike[str] | None) -> Path:
    if folder is None:
        named = os.environ.get("OPTZOO_DATA")
        if not named:
            raise FileNotFoundError(
                f"to read {name!r}, pass folder= or set the environment variable OPTZOO_DATA to"
                " the folder with the LIBSVM files (nothing is downloaded)"
            )
        folder, source = named, "the folder that OPTZOO_DATA names"
    else:
        source = "folder"
    where = Path(folder)
    if not where.is_dir():
        raise FileNotFoundError(f"{source} is no directory: {str(where)!r}")
    for suffix in _SUFFIXES:
        path = where / (name + suffix)
        if path.is_file():
            return path
    there = ", ".join(sorted(entry.name for entry in where.iterdir() if entry.is_file()))
    raise FileNotFoundError(
        f"no {name!r}, {name + '.gz'!r} or {name + '.bz2'!r} in {str(where)!r};"
        f" files there: {there or 'none'}"
    )


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    if path.suffix == ".bz2":
        return bz2.open(path, "rb")
    return path.open("rb")


def _parse(
    path: Path, num_features: int | None, as_sparse: bool
) -> tuple[list[float], sparse.csr_array]:
    labels: list[float] = []
    columns, values, starts = array("q"), array("d"), array("q", [0])
    number, largest, line_of_largest = 0, 0, 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, start=1):
                words = line.split(b"#", 1)[0].split()
                if words:
                    try:
                        label, row = _parse_line(words, num_features)
                    except ValueError as error:
                        raise ValueError(f"{path}, line {number}: {error}") from None
                    labels.append(label)
                    columns.extend(index - 1 for index in row)
                    values.extend(row.values())
                    starts.append(len(columns))
                    last = max(row, default=0)
                    if last > largest:
                        largest, line_of_largest = last, number
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is truncated or damaged after line {number}: {error}") from error
    if not labels:
        raise ValueError(f"{path} is empty")
    shape = (len(labels), largest if num_features is None else int(num_features))
    if shape[1] == 0:
        raise ValueError(f"{path} has no feature at all")
    size = 8 * shape[1] * (1 if as_sparse else shape[0])
    if size > _LARGEST:
        raise ValueError(
            f"{path}: the index {largest} in line {line_of_largest} makes a table of shape {shape},"
            f" {size / 2**30:.3g} GiB{' a row' * as_sparse} where 8 are allowed"
            + "; as_sparse=True holds what is not 0"
            * (not as_sparse)
        )
    return labels, sparse.csr_array(
        (np.array(values), np.array(columns), np.array(starts)), shape=shape
    )


def _parse_line(words: list[bytes], num_features: int | None) -> tuple[float, dict[int, float]]:
    label = _number(words[0], "label")
    row: dict[int, float] = {}
    last = 0
    for word in words[1:]:
        index_text, colon, value_text = word.partition(b":")
        if not colon or not index_text.isdigit():
            raise ValueError(f"expected index:value, got {word.decode(errors='replace')!r}")
        index = int(index_text)
        if index <= last:
            raise ValueError(f"indices must start at 1 and increase, got {index} after {last}")
        most = _LARGEST_INDEX if num_features is None else num_features
        if index > most:
            raise ValueError(f"indices must be at most {most}, got {index}")
        row[index] = _number(value_text, f"value of index {index}")
        last = index
    return label, row


def _number(text: bytes, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    # Python alone reads 1_000 as a number.
    if not np.isfinite(number) or b"_" in text:
        raise ValueError(f"{what} must be a finite number, got {text.decode(errors='replace')!r}")
    return number
