"""Real data: what scikit-learn bundles, for classification and regression, and LIBSVM files."""

import bz2
import gzip
import os
from pathlib import Path
from typing import IO

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes

__all__ = ["breast_cancer", "diabetes", "libsvm"]

_SUFFIXES = ("", ".gz", ".bz2")


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
    return _scaled(np.asarray(features, dtype=np.float64), scale), labels


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


def libsvm(
    name: str, *, folder: str | os.PathLike[str] | None = None, scale: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    r"""Read a binary classification problem in LIBSVM format, plain or packed with gzip or bzip2.

    A line is `label index:value index:value ...` with increasing indices that start at 1;
    what follows a `#` is a comment. Nothing is downloaded.

    Args:
        name: file name, with or without its suffix .gz or .bz2.
        folder: where the file lies, by default the folder that the environment variable
            OPTZOO_DATA names.
        scale: divide each column by its largest absolute value (a column of zeros stays). No
            column is centred, so that zeros stay zeros, and rows keep their lengths.

    Returns:
        features: dense float64, shape (n, d), d the largest index in the file.
        labels: float64, shape (n,); the smaller of the two labels in the file becomes -1.

    Raises:
        FileNotFoundError: if OPTZOO_DATA is needed and unset, or the folder or the file is missing.
        ValueError: if the file is truncated or damaged, a line is malformed (it is named), or
            there are not exactly two labels.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "tiny").write_text("1 1:0.5\n2 2:4\n")
        ...     features, labels = libsvm("tiny", folder=folder)
        >>> features.tolist(), labels.tolist()
        ([[1.0, 0.0], [0.0, 1.0]], [-1.0, 1.0])
    """
    path = _find(name, folder)
    labels, rows = _parse(path)
    distinct = sorted(set(labels))
    if len(distinct) != 2:
        raise ValueError(f"{path} must have exactly two labels, got {distinct[:10]}")
    features = np.zeros((len(rows), max(max(row, default=0) for row in rows)))
    if features.shape[1] == 0:
        raise ValueError(f"{path} has no feature at all")
    for i, row in enumerate(rows):
        features[i, np.fromiter(row.keys(), int) - 1] = np.fromiter(row.values(), float)
    return _scaled(features, scale), np.where(np.asarray(labels) == distinct[1], 1.0, -1.0)


def _scaled(features: np.ndarray, scale: bool) -> np.ndarray:
    if not scale:
        return features
    largest = np.abs(features).max(axis=0)
    scaled: np.ndarray = features / np.where(largest > 0, largest, 1.0)
    return scaled


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


def _parse(path: Path) -> tuple[list[float], list[dict[int, float]]]:
    labels: list[float] = []
    rows: list[dict[int, float]] = []
    number = 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, start=1):
                words = line.split(b"#", 1)[0].split()
                if words:
                    try:
                        label, row = _parse_line(words)
                    except ValueError as error:
                        raise ValueError(f"{path}, line {number}: {error}") from None
                    labels.append(label)
                    rows.append(row)
    except (EOFError, OSError) as error:
        raise ValueError(f"{path} is truncated or damaged after line {number}: {error}") from error
    if not rows:
        raise ValueError(f"{path} is empty")
    return labels, rows


def _parse_line(words: list[bytes]) -> tuple[float, dict[int, float]]:
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
        row[index] = _number(value_text, f"value of index {index}")
        last = index
    return label, row


def _number(text: bytes, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise ValueError(f"{what} must be a finite number, got {text.decode(errors='replace')!r}")
    return number
