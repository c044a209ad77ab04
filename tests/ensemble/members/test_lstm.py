"""Networks are trained by Keras, forecast by NumPy, and come out the same to the bit."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.arrays import Floats
from ensemble.members import lstm_training
from ensemble.members.lstm import Lstm, load_lstm
from ensemble.members.lstm_training import TrainingError, fit_lstm
from ensemble.members.scaling import fit_scaler
from ensemble.members.sequences import cut_sequences
from ensemble.members.specs import PRESETS, LstmSpec
from ensemble.panel import Panel
from ensemble.windows import Window

MakePanel = Callable[..., Panel]
LSTM_PRESETS = [name for name, preset in PRESETS.items() if "units" in preset]


def small(**changes: object) -> LstmSpec:
    figures = {
        "name": "small",
        "units": (8, 4),
        "sequence_steps": 10,
        "warmup_steps": 4,
        "learning_rate": 0.01,
    }
    return LstmSpec.model_validate(figures | changes)


def window_of(panel: Panel, rows: slice = slice(0, 400)) -> Window:
    return Window(panel.values[:, rows], panel.labels[:, rows], embargo_rows=3)


def weights_of(member: Lstm) -> bytes:
    return member.files()["weights.npz"]


@pytest.mark.parametrize("preset", LSTM_PRESETS)
def test_the_forward_pass_equals_keras_within_1e_5(preset: str, make_panel: MakePanel) -> None:
    spec = LstmSpec.model_validate(dict(PRESETS[preset]) | {"name": preset, "sequence_steps": 12, "warmup_steps": 5})
    window = window_of(make_panel())
    network = lstm_training.build_network(spec, n_features=6, n_labels=4)
    network.reset(seed=7, prior=np.array([0.3, -0.2, 0.1, 0.0]))
    sequences = np.random.default_rng(1).normal(size=(9, 17, 6))
    member = Lstm(fit_scaler(window), network.weights(), spec.sequence_steps, spec.warmup_steps)
    assert_allclose(member.forward(sequences), network.log_odds(sequences)[:, -1], atol=1e-5)


def test_layers_of_a_single_unit_have_a_forward_pass_too(make_panel: MakePanel) -> None:
    panel = make_panel()
    member = fit_lstm(small(units=(1, 1), max_epochs=1), window_of(panel), seed=1)
    assert np.isfinite(member.log_odds(panel, slice(400, 402))).all()


def test_equal_seeds_give_equal_bits_whatever_was_trained_in_between(make_panel: MakePanel) -> None:
    window = window_of(make_panel())
    first = fit_lstm(small(), window, seed=1)
    other = fit_lstm(small(), window, seed=2)
    again = fit_lstm(small(), window, seed=1)
    assert weights_of(first) == weights_of(again)
    assert weights_of(first) != weights_of(other)


def test_a_planted_signal_is_found_out_of_sample(make_panel: MakePanel) -> None:
    panel = make_panel(rows=900)
    member = fit_lstm(small(max_epochs=30), window_of(panel, slice(0, 700)), seed=1)
    said = member.log_odds(panel, slice(700, 900)) > 0
    assert np.mean(said == (panel.labels[:, 700:900] > 0.5)) > 0.75  # the labels' own noise allows .81


def test_without_a_signal_the_forecast_is_the_class_prior(make_panel: MakePanel) -> None:
    panel = make_panel(rows=900, strength=0.0, ups=0.8)
    member = fit_lstm(small(), window_of(panel, slice(0, 700)), seed=1)
    probability = 1 / (1 + np.exp(-member.log_odds(panel, slice(700, 900))))
    assert abs(probability.mean() - 0.8) < 0.06


def test_the_epoch_with_the_lowest_validation_loss_is_kept(make_panel: MakePanel) -> None:
    window = window_of(make_panel(strength=0.0))
    training, validation = cut_sequences(small(), window, fit_scaler(window))
    network = lstm_training.build_network(small(learning_rate=0.05, input_noise=0.0), n_features=6, n_labels=4)
    network.reset(seed=3, prior=np.zeros(4))
    losses = network.fit(training, validation)
    assert losses[-1] > min(losses)  # pure noise: later epochs only overfit
    assert_allclose(network.loss(validation), min(losses), rtol=1e-5)


def test_rows_are_forecast_alone_as_in_a_batch(make_panel: MakePanel) -> None:
    panel = make_panel()
    member = fit_lstm(small(max_epochs=1), window_of(panel), seed=1)
    together = member.log_odds(panel, slice(400, 430))
    alone: list[Floats] = [member.log_odds(panel, slice(row, row + 1)) for row in range(400, 430)]
    assert_allclose(np.concatenate(alone, axis=1), together, atol=1e-12)


def test_rows_near_the_beginning_are_forecast_from_what_there_is(make_panel: MakePanel) -> None:
    panel = make_panel()
    member = fit_lstm(small(max_epochs=1), window_of(panel), seed=1)
    assert np.isfinite(member.log_odds(panel, slice(0, 3))).all()


def test_a_stored_member_forecasts_the_same(make_panel: MakePanel) -> None:
    panel = make_panel()
    member = fit_lstm(small(max_epochs=1), window_of(panel), seed=1)
    restored = load_lstm(member.files())
    assert_array_equal(restored.log_odds(panel, slice(400, 410)), member.log_odds(panel, slice(400, 410)))


def test_a_window_shorter_than_a_sequence_is_refused(make_panel: MakePanel) -> None:
    with pytest.raises(TrainingError, match="no labelled sequence of 14 for training"):
        fit_lstm(small(), window_of(make_panel(), slice(0, 12)), seed=1)


def test_a_loss_that_is_no_number_is_refused(make_panel: MakePanel) -> None:
    window = window_of(make_panel())
    training, validation = cut_sequences(small(), window, fit_scaler(window))
    network = lstm_training.build_network(small(), n_features=6, n_labels=4)
    network.reset(seed=1, prior=np.full(4, np.nan))
    with pytest.raises(TrainingError, match="not a number"):
        network.fit(training, validation)
