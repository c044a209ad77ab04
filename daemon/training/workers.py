"""Where members train: the [workers] table, and the crew that it asks for."""

import os
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Literal, Self

from pydantic import Field, model_validator

from daemon.training.child import TaskLimits
from daemon.training.crew import Crew, this_machine
from ensemble.options import Options


class WorkerOptions(Options):
    """The [workers] table."""

    engine: Literal["process", "dask"] = Field(
        "process", description="processes on this machine, or the workers of a Dask cluster"
    )
    address: str | None = Field(
        None, pattern=r"^(\w+://)?[^\s/]+:\d+$", description="scheduler of the Dask cluster, such as tcp://host:8786"
    )
    processes: int = Field(
        0, ge=0, le=256, description="members trained at the same time on this machine; 0: as many as the cores allow"
    )
    threads: int = Field(1, ge=1, le=64, description="threads of a training process")
    task_timeout_min: float = Field(60.0, gt=0, le=10_080, description="how long one member may train, minutes")
    task_memory_mb: int = Field(4000, ge=100, le=1_000_000, description="memory of a training process, megabytes")

    @property
    def count(self) -> int:
        """Processes to start on this machine."""
        return self.processes or max(len(os.sched_getaffinity(0)) // self.threads, 1)

    @property
    def limits(self) -> TaskLimits:
        """What one task may take."""
        return TaskLimits(self.task_timeout_min, self.task_memory_mb, self.threads)

    @model_validator(mode="after")
    def _dask_can_be_used(self) -> Self:
        if self.engine == "dask" and self.address is None:
            raise ValueError('address is missing; engine "dask" needs its scheduler\'s, such as "tcp://host:8786"')
        if self.engine == "dask" and find_spec("distributed") is None:
            raise ValueError(
                'engine "dask" needs the package distributed; run `pip install distributed` where this runs'
            )
        return self


def open_crew(workers: WorkerOptions, *, at_most: int) -> AbstractContextManager[Crew]:
    """The crew of the configuration; on this machine no more than `at_most` processes. Raises ClusterError."""
    if workers.engine == "dask" and workers.address is not None:
        from daemon.training.cluster import open_cluster

        return open_cluster(workers.address, workers.limits)
    return this_machine(min(workers.count, at_most), workers.limits)
