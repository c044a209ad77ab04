"""The [metrics] table."""

from pathlib import Path

from pydantic import Field

from ensemble.options import Options


class MetricsOptions(Options):
    """Where figures for a monitor are put."""

    file: Path | None = Field(
        default=None,
        description="the file for Prometheus's node_exporter, if it is not metrics.prom in state_dir",
    )
    port: int | None = Field(
        default=None, ge=1024, le=65535, description="port on 127.0.0.1 at which `run` answers Prometheus"
    )
