"""config.py - how VectorDBBench is told of Skerry: backend/clients/skerry/config.py."""
from pydantic import BaseModel
from vectordb_bench.backend.clients.api import DBCaseConfig, DBConfig, MetricType

METRICS = {MetricType.L2: "l2", MetricType.COSINE: "cosine", MetricType.IP: "ip",
           MetricType.DP: "ip"}


class SkerryConfig(DBConfig):
    """path: the database's folder."""

    path: str = "vectors.skerry"

    def to_dict(self):
        return {"path": self.path}


class SkerryCaseConfig(BaseModel, DBCaseConfig):
    """How the collection is made, and how it is searched: by ef, or by recall_target when that is
    not 0."""

    metric_type: MetricType = MetricType.COSINE
    codes: str = "auto"
    M: int = 16
    ef_construction: int = 200
    ef: int = 64
    recall_target: float = 0.0

    def index_param(self):
        if self.metric_type not in METRICS:
            raise ValueError(f"metric {self.metric_type}: expected one of "
                             f"{', '.join(metric.value for metric in METRICS)}")
        return {"metric": METRICS[self.metric_type], "codes": self.codes, "M": self.M,
                "ef_construction": self.ef_construction}

    def search_param(self):
        if self.recall_target > 0:
            return {"recall_target": self.recall_target}
        return {"ef": self.ef}
