"""The paper account beside whoever bought the same stocks at the first open and kept them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from daemon.report.cells import signed
from daemon.report.figures import DASHES, SERIES, Trace, axis, figure, layout, rounded
from daemon.report.material import Material
from daemon.report.parts import Chart, Figure, Line, Section, Table
from daemon.report.record import Record, nothing_known
from daemon.report.words import EXITS
from ensemble.arrays import Floats
from ensemble.counted import counted
from ensemble.evaluation.account_path import AccountPath
from ensemble.evaluation.buy_and_hold import hold_returns, scaled_returns
from ensemble.evaluation.share import mean_of_sessions
from ensemble.trading.account import Trade

ACCOUNT, HOLD, SCALED = "this account", "buy and hold", "hold, as much invested"


@dataclass(frozen=True, slots=True)
class _Paths:
    """Who made what of the same money, (n_sessions,) each, per cent since the start."""

    sessions: tuple[str, ...]
    gain_pct: Mapping[str, Floats]
    returns: Mapping[str, Floats]
    """Simple, session by session."""

    def drawdown_pct(self, who: str) -> Floats:
        """How far below the best so far, (n_sessions,), 0 or negative; the start counts."""
        worth = 1 + self.gain_pct[who] / 100
        return np.asarray(100 * (worth / np.maximum(np.maximum.accumulate(worth), 1) - 1))


def equity(material: Material, record: Record) -> Section:
    """Gain and drawdown since the start of what is shown."""
    path = record.path
    found = (Line(nothing_known(record), "quiet"),) if path is None else _parts(_paths(material, path), path, record)
    if not material.shows_all:
        found = (Line("The account is that of all traded symbols."), *found)
    return Section(
        key=f"equity-{record.origin}",
        title="What the account made of it",
        meaning="Gain since the start and drawdown, the loss from the best day so far, after costs; what counts is "
        "the distance to buying the same stocks and keeping them.",
        short="Account",
        parts=found,
        whose=record.origin,
    )


def _parts(paths: _Paths, path: AccountPath, record: Record) -> tuple[Chart | Table | Line, ...]:
    own, other = paths.gain_pct[ACCOUNT][-1], paths.gain_pct[HOLD][-1]
    says = (
        f"Line chart, {paths.sessions[0]} to {paths.sessions[-1]}: this account {own:+.1f} %, buy and hold "
        f"{other:+.1f} %; below it the drawdown of both."
    )
    chart = Chart(f"equity-{record.origin}", says, _figure(paths), _monthly(paths), height_px=440)
    return (chart, _comparison(paths), _trades(path.trades))


def _paths(material: Material, path: AccountPath) -> _Paths:
    traded = material.settings.market.symbols
    bars = {symbol: frame for symbol, frame in material.bars.items() if symbol in traded and len(frame)}
    held = hold_returns(bars, path.sessions, material.settings.rules) if bars else np.zeros(len(path.marks))
    returns = {ACCOUNT: path.returns, HOLD: held, SCALED: scaled_returns(held, float(path.invested.mean()))}
    gains = {who: np.asarray(100 * (np.cumprod(1 + one) - 1), dtype=np.float64) for who, one in returns.items()}
    return _Paths(tuple(f"{session}" for session in path.sessions), gains, returns)


def _figure(paths: _Paths) -> Figure:
    traces: list[Trace] = []
    for place, (who, gain) in enumerate(paths.gain_pct.items()):
        line = {"color": SERIES[place], "dash": DASHES[place], "width": 2.2 if who == ACCOUNT else 1.6}
        hover = f"{who} %{{y:+.2f}} %<extra></extra>"
        same = {"type": "scatter", "mode": "lines", "x": "@x", "name": who, "line": line, "hovertemplate": hover}
        traces.append(same | {"y": rounded(gain, 3)})
        if who != SCALED:
            below = {"yaxis": "y2", "showlegend": False, "fill": "tozeroy" if who == ACCOUNT else "none"}
            traces.append(same | below | {"y": rounded(paths.drawdown_pct(who), 3), "fillcolor": "$shade"})
    shape = layout(
        xaxis=axis(anchor="y2", type="date", nticks=7),
        yaxis=axis("gain, %", domain=[0.38, 1]),
        yaxis2=axis("drawdown, %", domain=[0, 0.3]),
        hovermode="x unified",
        hoversubplots="axis",
    )
    return figure(traces, shape, x=list(paths.sessions))


def _monthly(paths: _Paths) -> Table:
    """The last session of each month."""
    months = [session[:7] for session in paths.sessions]
    last = [place for place, month in enumerate(months) if place + 1 == len(months) or months[place + 1] != month]
    drawdown = paths.drawdown_pct(ACCOUNT)
    rows = (
        (paths.sessions[at], *(signed(gain[at]) for gain in paths.gain_pct.values()), signed(drawdown[at]))
        for at in last
    )
    columns = ("session", *(f"{who}, %" for who in paths.gain_pct), "drawdown, %")
    return Table("Gain since the start at the end of each month", columns, tuple(rows))


def _comparison(paths: _Paths) -> Table:
    count, rows = len(paths.sessions), []
    for who, gain in paths.gain_pct.items():
        ahead = mean_of_sessions(1e4 * (paths.returns[ACCOUNT] - paths.returns[who]))
        ends = f"{signed(ahead.low)} to {signed(ahead.high)}"
        beside = ("", "") if who == ACCOUNT else (signed(ahead.value), ends)
        rows.append((who, f"{count:,}", signed(gain[-1]), signed(float(paths.drawdown_pct(who).min())), *beside))
    return Table(
        caption="The account beside what doing nothing would have given. An interval that holds 0 says that the two "
        "can't be told apart yet",
        columns=("who", "sessions", "gain, %", "deepest drawdown, %", "account ahead, bp a session", "95 % interval"),
        rows=tuple(rows),
    )


def _trades(trades: Sequence[Trade]) -> Table | Line:
    if not trades:
        return Line("No position was closed in these sessions.", "quiet")
    reasons = dict.fromkeys(one.exit_reason for one in trades)
    groups = {EXITS[reason]: [one for one in trades if one.exit_reason is reason] for reason in reasons}
    rows = [(name, *_sum(own)) for name, own in (groups | {"all": list(trades)}).items()]
    caption = f"{counted(len(trades), 'closed position')}, by what closed them"
    return Table(caption, ("closed by", "trades", "won", "costs", "profit"), tuple(rows))


def _sum(trades: Sequence[Trade]) -> tuple[str, ...]:
    won = sum(one.profit > 0 for one in trades)
    cost, profit = sum(one.cost for one in trades), sum(one.profit for one in trades)
    return f"{len(trades):,}", f"{won:,}", f"{cost:,.2f}", signed(profit)
