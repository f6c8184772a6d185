"""kinds.py - usearch's names of metrics and scalars, and what they are in Skerry."""
from __future__ import annotations

import enum
from typing import Any, NamedTuple, Optional

import numpy as np


class MetricKind(enum.Enum):
    """The distances. Divergence and Pearson have a name and no function here."""

    IP = "ip"
    Cos = "cos"
    L2sq = "l2sq"
    Haversine = "haversine"
    Divergence = "divergence"
    Pearson = "pearson"
    Hamming = "hamming"
    Tanimoto = "tanimoto"
    Sorensen = "sorensen"


class ScalarKind(enum.Enum):
    """How vectors are kept. F64 is kept as F32."""

    F64 = "f64"
    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    I8 = "i8"
    B1 = "b1"


class MetricSignature(enum.Enum):
    """How a compiled metric is called."""

    ArrayArray = 0
    ArrayArraySize = 1


class CompiledMetric(NamedTuple):
    """A compiled metric. It has a name here and no use: see docs/python.md."""

    pointer: int
    kind: MetricKind
    signature: MetricSignature


BITWISE = (MetricKind.Hamming, MetricKind.Tanimoto, MetricKind.Sorensen)

_METRIC_WORDS = {"cosine": "cos", "dot": "ip", "inner_product": "ip", "l2_sq": "l2sq"}
_SCALAR_WORDS = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16",
                 "int8": "i8", "b1x8": "b1", "bits": "b1", "uint8": "b1"}

#: The metric of Skerry's.
METRICS = {MetricKind.IP: "ip", MetricKind.Cos: "cosine", MetricKind.L2sq: "l2",
           MetricKind.Haversine: "haversine", MetricKind.Hamming: "hamming",
           MetricKind.Tanimoto: "jaccard", MetricKind.Sorensen: "jaccard"}
#: The scalar of Skerry's.
SCALARS = {ScalarKind.F64: "f32", ScalarKind.F32: "f32", ScalarKind.F16: "f16",
           ScalarKind.BF16: "bf16", ScalarKind.I8: "i8", ScalarKind.B1: "b1"}
#: The numpy type; bfloat16 has none.
NUMPY: dict[ScalarKind, Optional[type]] = {
    ScalarKind.F64: np.float64, ScalarKind.F32: np.float32, ScalarKind.F16: np.float16,
    ScalarKind.BF16: None, ScalarKind.I8: np.int8, ScalarKind.B1: np.uint8}


def as_metric(metric: Any) -> MetricKind:
    """A MetricKind of what a caller says: None, a word, itself."""
    if metric is None:
        return MetricKind.Cos
    if isinstance(metric, str):
        word = metric.lower()
        return MetricKind(_METRIC_WORDS.get(word, word))
    if isinstance(metric, CompiledMetric):
        raise NotImplementedError("compiled metrics are not offered: use skerry.Index with distance")
    if not isinstance(metric, MetricKind):
        raise ValueError(f"metric: expected a MetricKind or its name, given {metric!r}")
    return metric


def as_scalar(dtype: Any, metric: MetricKind = MetricKind.Cos) -> ScalarKind:
    """A ScalarKind of what a caller says: None, a word, a numpy type, itself."""
    if isinstance(dtype, ScalarKind):
        return dtype
    if dtype is None or (isinstance(dtype, str) and dtype == ""):
        return ScalarKind.B1 if metric in BITWISE else ScalarKind.F32
    word = dtype.lower() if isinstance(dtype, str) else np.dtype(dtype).name
    return ScalarKind(_SCALAR_WORDS.get(word, word))
