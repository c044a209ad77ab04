"""A synthetic market on disk: bars for the feed "files", the oracle beside them, a configuration that runs it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from daemon.errors import DaemonError
from ensemble.evaluation.roc_area import pooled_auc
from ensemble.evaluation.synthetic import SyntheticMarket, SyntheticOptions, simulate_market
from ensemble.evaluation.synthetic.bound import oracle_scored
from ensemble.evaluation.synthetic.timeline import DECISION_TIME, DELAY_MIN
from storage.feeds.write_files import write_bar_files

CONFIG, ORACLE, BARS = "config.toml", "oracle.csv", "bars"
WARM_UP_YEARS = 3
"""A backtest of the default configuration needs 500 sessions before its first month, and its features some more."""
TEMPLATE = """\
# A market made up by `reliance-daemon market simulate --auc {auc} --years {years} --symbols {symbols} --seed {seed}`.
# The best possible forecast of gap, close_to_close and open_to_close has an AUC of {auc}: it is in {oracle}.
# reliance-daemon --config {config} backtest --from {first} --to {last}

[market]
exchange = "{exchange}"
symbols = {traded}
peers = []
history_start = {begin}

[market.context]
{context}

[feed]
provider = "files"
delay_min = {delay_min}
files = {{ path = "{bars}" }}

[schedule]
decision_time = "{decision_time:%H:%M}"
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What was made up, and where it lies."""

    config: Path
    options: SyntheticOptions
    sessions: int
    oracle: dict[str, tuple[float, float]]
    """Label -> the oracle's AUC on what came, and its standard error."""


def simulate(options: SyntheticOptions, folder: Path) -> Written:
    """Makes the market up and writes it into `folder`, a new or an empty one. Raises DaemonError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DaemonError(f"--out {folder} is there already and not empty; choose a new folder, or empty it.")
    market = simulate_market(options)
    try:
        write_market(market, folder)
    except OSError as error:
        raise DaemonError(f"--out {folder} cannot be written: {error.strerror}; choose another folder.") from error
    areas = {label: pooled_auc(scored) for label, scored in oracle_scored(market).items()}
    measured = {label: (area.value, area.standard_error) for label, area in areas.items()}
    return Written(folder / CONFIG, options, len(market.calendar.sessions), measured)


def write_market(market: SyntheticMarket, folder: Path) -> None:
    """bars/SYMBOL.csv, oracle.csv and config.toml. Raises OSError."""
    write_bar_files(folder / BARS, {**market.bars, **{name: bars for name, (_, bars) in market.context.items()}})
    market.oracle().to_csv(folder / ORACLE, index=False, date_format="%Y-%m-%d")
    (folder / CONFIG).write_text(_config(market), encoding="utf-8")


def _config(market: SyntheticMarket) -> str:
    options, sessions = market.options, market.calendar.sessions
    by_exchange: dict[str, list[str]] = {}
    for name, (exchange, _) in market.context.items():
        by_exchange.setdefault(exchange, []).append(name)
    warm = pd.Timestamp(options.first) + pd.DateOffset(years=WARM_UP_YEARS)
    return TEMPLATE.format(
        **options.model_dump(include={"auc", "years", "symbols", "seed"}),
        oracle=ORACLE,
        config=CONFIG,
        bars=BARS,
        exchange=market.calendar.exchange,
        traded=json.dumps(list(market.bars)),
        begin=options.first,
        first=f"{min(warm, sessions[-1]):%Y-%m-%d}",
        last=f"{sessions[-1]:%Y-%m-%d}",
        context="\n".join(f"{exchange} = {json.dumps(names)}" for exchange, names in by_exchange.items()),
        delay_min=DELAY_MIN,
        decision_time=DECISION_TIME,
    )
