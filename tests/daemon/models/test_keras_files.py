"""The copies for people say what the members say, in the library they are meant for."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daemon.models.export import export_version
from daemon.models.keras_files import write_keras
from daemon.services import Services
from daemon.sessions.desk import home_calendar, open_desk
from daemon.training.child import Child, TaskLimits
from ensemble.arrays import Floats
from ensemble.members.fitted import unpack_arrays
from ensemble.members.lstm import Lstm, load_lstm
from ensemble.members.network import first_weights
from ensemble.members.scaling import Scaler

ServicesAt = Callable[..., AbstractContextManager[Services]]
PROGRAM = """
import sys
import keras, numpy
model = keras.models.load_model(sys.argv[1])
numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2]), verbose=0))
"""
"""What whoever gets the file would do; nothing of this project takes part."""


def said_by_keras(file: Path, inputs: Floats) -> Floats:
    given, said = file.with_suffix(".in.npy"), file.with_suffix(".out.npy")
    np.save(given, inputs)
    call = [sys.executable, "-c", PROGRAM, str(file), str(given), str(said)]
    subprocess.run(call, check=True, capture_output=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"})
    return np.asarray(np.load(said), dtype=np.float64)


def said_by_member(member: Lstm, inputs: Floats) -> Floats:
    return member.forward(member.scaler(inputs.astype(np.float32)).astype(np.float64))


@pytest.mark.slow
def test_keras_says_what_the_member_says_also_of_what_is_unknown_extreme_or_never_varied(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    weights = {name: random.normal(0, 0.4, one.shape) for name, one in first_weights((6, 5), 4, 3, random).items()}
    skip = {"skip_kernel": random.normal(size=(4, 3)), "skip_bias": random.normal(size=3)}
    scaler = Scaler(np.array([0.1, -2.0, 300.0, 0.0]), np.array([1.0, 0.5, 20.0, np.inf]))
    member = load_lstm(Lstm(scaler, weights | skip, sequence_steps=7, warmup_steps=3).files())
    inputs = scaler.mean + random.normal(size=(50, 10, 4)) * [1, 0.5, 20, 1]
    inputs[0, 3, 1], inputs[1, -1, 0], inputs[2, 5, 2] = np.nan, 1e9, np.inf
    child = Child(TaskLimits(timeout_min=2, memory_mb=4000, threads=1))
    try:
        child.call(write_keras, [(member.files(), str(tmp_path / "model.keras"))], given_up=lambda: False)
    finally:
        child.end()
    np.testing.assert_allclose(
        said_by_keras(tmp_path / "model.keras", inputs), said_by_member(member, inputs), rtol=0, atol=1e-5
    )


@pytest.mark.slow
def test_an_exported_network_says_of_the_market_what_the_version_says(
    copy: Path, services_at: ServicesAt, tmp_path: Path
) -> None:
    with services_at(copy, "2021-10-05 18:00") as services:
        calendar = home_calendar(services.settings, services.clock.now())
        desk = open_desk(services, calendar, last=pd.Timestamp("2021-10-05"))
        model_id = max(services.models.model_ids())
        export_version(services.models, model_id, tmp_path / "out", services.settings.workers.limits)
    folder = tmp_path / "out" / "small-0"
    member = load_lstm({path.name: path.read_bytes() for path in folder.iterdir()})
    steps, stop = member.sequence_steps + member.warmup_steps, len(desk.panel.sessions)
    ends = range(stop - 40, stop)
    inputs = np.concatenate([desk.panel.values[:, end - steps + 1 : end + 1] for end in ends])
    said = said_by_keras(folder / "model.keras", inputs.astype(np.float64))
    by_version = member.log_odds(desk.panel, slice(ends.start, ends.stop)).swapaxes(0, 1).reshape(said.shape)
    np.testing.assert_allclose(said, by_version, rtol=0, atol=1e-5)
    assert {path.name for path in folder.iterdir()} >= {"history.csv", "weights.npz", "model.keras"}
    assert set(unpack_arrays((folder / "weights.npz").read_bytes())) == set(member.weights)
