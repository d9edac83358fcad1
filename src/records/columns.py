"""Columns of a Parquet file as arrays, if they are what they are taken for; what is not is a ValueError."""

from typing import NoReturn

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64, Shaped


def refuse(reason: str) -> NoReturn:
    """Raise a ValueError: the file is not what a run writes."""
    raise ValueError(reason)


def counts(column: pa.ChunkedArray) -> Int64[np.ndarray, " n"]:
    """Return a column of counts."""
    if column.null_count:
        refuse("a count is missing")
    values = np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)
    if (values < 0).any():
        refuse("a count is negative")
    return values


def floats(column: pa.ChunkedArray) -> Float64[np.ndarray, " n"]:
    """Return a column of numbers, NaN where there is none."""
    values = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    if np.isinf(values).any():
        refuse("a number is infinite")
    return values


def amounts(column: pa.ChunkedArray) -> Float64[np.ndarray, " n"]:
    """Return a column of finite numbers that are not negative."""
    values = floats(column)
    if not (values >= 0).all():
        refuse("a weight or time is negative or missing")
    return values


def strings(column: pa.ChunkedArray) -> Shaped[np.ndarray, " n"]:
    """Return a column of text; few distinct values are decoded once each."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if encoded.null_count:
        refuse("a text is missing")
    distinct = np.array(encoded.dictionary.to_pylist(), dtype=np.str_)
    return np.asarray(distinct[encoded.indices.to_numpy()])
