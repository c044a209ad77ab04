"""Networks trained either way forecast alike, come out the same to the bit, and find what there is to find."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.arrays import Floats
from ensemble.members.errors import TrainingError
from ensemble.members.logit import fit_logit
from ensemble.members.lstm import Lstm, load_lstm
from ensemble.members.panel_training import PanelTrainer, fit_panel
from ensemble.members.published import Network, build_network, cut_samples, fit_published
from ensemble.members.scaling import fit_scaler
from ensemble.members.segments import Segments
from ensemble.members.specs import LogitSpec, LstmSpec
from ensemble.panel import Panel
from ensemble.windows import Window

MakePanel = Callable[..., Panel]
FIT = {"panel": fit_panel, "published": fit_published}
WAYS = tuple(FIT)
SLOWLY = ("panel", pytest.param("published", marks=pytest.mark.slow))


def small(**changes: object) -> LstmSpec:
    figures = {
        "name": "small",
        "units": (8, 4),
        "sequence_steps": 10,
        "learned_steps": 20,
        "warmup_steps": 4,
        "segments_per_step": 4,
        "max_epochs": 2,
        "learning_rate": 0.01,
        "skip_penalty": 1.0,
    }
    return LstmSpec.model_validate(figures | changes)


def fitted(way: str, window: Window, seed: int = 1, **changes: object) -> Lstm:
    return FIT[way](small(training=way, **changes), window, seed=seed)


def window_of(panel: Panel, rows: slice = slice(0, 400)) -> Window:
    return Window(panel.values[:, rows], panel.labels[:, rows], embargo_rows=3)


def weights_of(member: Lstm) -> bytes:
    return member.files()["weights.npz"]


@pytest.mark.parametrize("way", WAYS)
def test_layers_of_a_single_unit_can_be_trained(way: str, make_panel: MakePanel) -> None:
    panel = make_panel()
    member = fitted(way, window_of(panel), units=(1, 1))
    assert np.isfinite(member.log_odds(panel, slice(400, 402))).all()


@pytest.mark.parametrize("way", SLOWLY)
def test_equal_seeds_give_equal_bits_whatever_was_trained_in_between(way: str, make_panel: MakePanel) -> None:
    window = window_of(make_panel())
    first, other, again = (fitted(way, window, seed=seed) for seed in (1, 2, 1))
    assert weights_of(first) == weights_of(again)
    assert weights_of(first) != weights_of(other)


@pytest.mark.parametrize("way", SLOWLY)
def test_a_planted_signal_is_found_out_of_sample(way: str, make_panel: MakePanel) -> None:
    panel = make_panel(rows=900)
    member = fitted(way, window_of(panel, slice(0, 700)), max_epochs=6)
    said = member.log_odds(panel, slice(700, 900)) > 0
    assert np.mean(said == (panel.labels[:, 700:900] > 0.5)) > 0.75  # the labels' own noise allows .81


def test_what_no_straight_line_can_say_is_found_beside_the_skip(make_panel: MakePanel) -> None:
    panel = make_panel(rows=1500)
    twice_ago = np.roll(panel.values[:, :, 1] * panel.values[:, :, 2], 2, axis=1)
    panel.labels[:] = (twice_ago > 0)[..., None]
    window = window_of(panel, slice(0, 1200))
    quiet = {"input_noise": 0.0, "input_dropout": 0.0, "dropout": 0.0}
    network = fit_panel(small(units=(16,), epochs=60, learned_steps=40, **quiet), window, seed=1)
    line = fit_logit(LogitSpec(), window)
    rows = slice(1200, 1500)
    network_right, line_right = (
        np.mean((member.log_odds(panel, rows) > 0) == (panel.labels[:, rows] > 0.5)) for member in (network, line)
    )
    assert line_right < 0.6
    assert network_right > 0.8


@pytest.mark.parametrize("way", SLOWLY)
def test_without_a_signal_the_forecast_is_the_class_prior(way: str, make_panel: MakePanel) -> None:
    panel = make_panel(rows=900, strength=0.0, ups=0.8)
    member = fitted(way, window_of(panel, slice(0, 700)), learning_rate=0.002)
    probability = 1 / (1 + np.exp(-member.log_odds(panel, slice(700, 900))))
    assert abs(probability.mean() - 0.8) < 0.06


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_forecast_alone_as_in_a_batch(way: str, make_panel: MakePanel) -> None:
    panel = make_panel()
    member = fitted(way, window_of(panel))
    together = member.log_odds(panel, slice(400, 430))
    alone: list[Floats] = [member.log_odds(panel, slice(row, row + 1)) for row in range(400, 430)]
    assert_allclose(np.concatenate(alone, axis=1), together, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_rows_near_the_beginning_are_forecast_from_what_there_is(way: str, make_panel: MakePanel) -> None:
    panel = make_panel()
    assert np.isfinite(fitted(way, window_of(panel)).log_odds(panel, slice(0, 3))).all()


@pytest.mark.parametrize("way", WAYS)
def test_a_stored_member_forecasts_the_same_and_tells_how_it_was_trained(way: str, make_panel: MakePanel) -> None:
    panel = make_panel()
    member = fitted(way, window_of(panel))
    restored = load_lstm(member.files())
    assert_array_equal(restored.log_odds(panel, slice(400, 410)), member.log_odds(panel, slice(400, 410)))
    assert restored.curve == member.curve
    assert len(member.curve) == {"panel": 8, "published": 2}[way]


@pytest.mark.parametrize("way", WAYS)
def test_a_window_without_outcomes_is_refused(way: str, make_panel: MakePanel) -> None:
    window = window_of(make_panel())
    window.labels[:] = np.nan
    with pytest.raises(TrainingError, match="member small: "):
        fitted(way, window)


def test_a_loss_that_is_no_number_is_refused_by_the_panel_trainer(make_panel: MakePanel) -> None:
    window = window_of(make_panel())
    trainer = PanelTrainer(small(), n_features=6, n_labels=4, random=np.random.default_rng(1))
    trainer.weights["head_bias"][:] = np.nan
    with pytest.raises(TrainingError, match="the loss is not a number; lower its learning_rate"):
        trainer.descend(Segments(window.values, np.zeros_like(window.labels), window.labels, 4, 20))


def test_a_loss_that_is_no_number_is_refused_by_the_published_recipe(make_panel: MakePanel) -> None:
    window, spec = window_of(make_panel()), small(training="published")
    network = build_network(spec, n_features=6, n_labels=4)
    network.reset(seed=1, prior=np.full(4, np.nan))
    with pytest.raises(TrainingError, match="the loss is not a number; lower its learning_rate"):
        network.fit(*cut_samples(spec, window, window.values))


def test_the_epoch_with_the_lowest_validation_loss_is_kept(make_panel: MakePanel) -> None:
    window = window_of(make_panel(strength=0.0))
    spec = small(training="published", learning_rate=0.05, max_epochs=6)
    training, validation = cut_samples(spec, window, fit_scaler(window)(window.values))
    network: Network = build_network(spec, n_features=6, n_labels=4)
    network.reset(seed=3, prior=np.zeros(4))
    losses = [epoch.validation_loss for epoch in network.fit(training, validation)]
    best = min(loss for loss in losses if loss is not None)
    assert losses[-1] != best  # pure noise: later epochs only overfit
    assert_allclose(network.loss(validation), best, rtol=1e-5)


def test_published_samples_end_with_their_row_and_keep_away_from_the_validation(make_panel: MakePanel) -> None:
    window = window_of(make_panel())
    window.labels[:] = np.arange(400, dtype=np.float32)[None, :, None]
    window.values[:, :, 0] = np.arange(400, dtype=np.float32)
    spec = small(training="published")
    training, validation = cut_samples(spec, window, window.values)
    for samples in (training, validation):
        assert_array_equal(samples.inputs[:, -1, 0], samples.labels[:, 0])
        assert_array_equal(samples.inputs[:, 0, 0], samples.labels[:, 0] - 9)
    assert training.labels.max() == 400 - 60 - 3 - 1  # the newest 15 per cent are 60 rows, the embargo 3
    assert (validation.labels.min(), validation.labels.max()) == (340, 399)


def test_a_window_shorter_than_a_sequence_is_refused_by_the_published_recipe(make_panel: MakePanel) -> None:
    with pytest.raises(TrainingError, match="no labelled sequence of 10 for training"):
        fitted("published", window_of(make_panel(), slice(0, 9)))
