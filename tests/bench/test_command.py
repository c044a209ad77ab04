"""`make bench` goes on where one benchmark can not, and says so."""

import tomllib
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from daemon.config.settings import Settings, load_settings
from daemon.services import recipe_of
from tests.bench import other_limits, pytorch
from tests.bench.__main__ import arguments, main, measure
from tests.bench.options import Options
from tests.bench.result import Figure, Result, Skipped
from tests.bench.table import show
from tests.bench.walk_forward import FULL, SMALL


def works(options: Options) -> Result:
    return Result("made-up bars", (Figure("a : b", 21.5, "x", 20.0, 23.0, at_least=20),))


def lacks(options: Options) -> Result:
    raise Skipped("it needs [something]; get it.")


def breaks(options: Options) -> Result:
    raise ValueError("no")


def test_one_that_lacks_something_or_breaks_does_not_stop_the_others() -> None:
    outcome = measure({"lacks": lacks, "breaks": breaks, "works": works}, Options())
    assert set(outcome.results) == {"works"}
    assert outcome.skipped == {"lacks": "it needs [something]; get it."}
    assert outcome.failed == {"breaks": "ValueError: no"}


def test_a_pipe_gets_every_figure_and_reason_on_a_line() -> None:
    text = StringIO()
    outcome = measure({"lacks": lacks, "breaks": breaks, "works": works}, Options())
    show(Console(file=text, width=140, highlight=False), outcome)
    lines = [" ".join(line.split()) for line in text.getvalue().splitlines()]
    assert "works: made-up bars" in lines
    assert "a : b 21.5 x 20.0 to 23.0 >= 20 x: reached" in lines
    assert "lacks: skipped; it needs [something]; get it." in lines
    assert "breaks: failed; ValueError: no" in lines


def test_an_unknown_name_ends_it_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "speed"]) == 2
    assert capsys.readouterr().err.startswith('benchmark was "speed"; it must be one of session,')


def test_what_is_not_said_is_left_to_the_benchmark() -> None:
    given = arguments([])
    assert (given.only, given.full, given.record, given.repetitions, given.months) == ("", False, False, None, None)


@pytest.mark.parametrize("tables", [SMALL, FULL])
def test_the_walk_forwards_configurations_are_in_order(tables: str) -> None:
    assert len(Settings.model_validate(tomllib.loads(tables)).ensemble.members) == 3


@pytest.mark.parametrize("changes", other_limits.LIMITS)
def test_a_backtest_with_the_other_limits_finds_the_models_of_the_first(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(other_limits.CHEAP, encoding="utf-8")
    first, second = load_settings(config, {}), load_settings(config, changes)
    assert second.risk != first.risk
    assert recipe_of(second).digest() == recipe_of(first).digest()


def test_an_interpreter_without_pytorch_is_told_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Skipped, match=r"is for this benchmark only; .*pip install torch"):
        pytorch.run(Options())
    with pytest.raises(Skipped, match=r"python has no PyTorch\. .*pip install torch"):
        pytorch.run(Options(torch_python=tmp_path / "python"))
