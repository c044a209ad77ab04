"""What `evaluate` prints, and what a script reads from it."""

import json

import pytest
from typer.testing import CliRunner

from daemon.cli import app


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_published_table_is_explained_in_words() -> None:
    shown = " ".join(call("--explain-protocol").split())
    for expected in (
        "come from 28 rows, 16 of them up",
        "57.14 % / F1 .7273 is a constant: it always says up, so its recall is 1 and its F1 of 0.7273",
        "right 16 times in 28 or more in 29 % of cases; the best of 3 coins in 64 %",
        "Every interval holds a coin's accuracy and AUC",
    ):
        assert expected in shown


def test_the_explanation_is_the_same_for_a_script() -> None:
    found = json.loads(call("--explain-protocol", "--json"))
    assert (found["rows"], found["ups"]) == (28, 16)
    best = found["lines"][0]
    assert best["constant"] == "always up"
    assert best["f1"] == pytest.approx(0.7273, abs=5e-5)
    assert best["best_coin_is_right"] == pytest.approx(0.636, abs=1e-3)
