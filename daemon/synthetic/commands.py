"""The command `market`: makes markets up."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble.counted import counted

market_app = typer.Typer(help="Make markets up.", no_args_is_help=True)


@market_app.callback()
def group() -> None:
    """A group of commands, also while it holds one."""


@market_app.command("simulate")
def simulate(  # noqa: PLR0913 - one parameter an option
    out: Annotated[Path, typer.Option(help="Folder to write bars/, oracle.csv and config.toml into; new or empty.")],
    auc: Annotated[
        float, typer.Option(min=0.5, max=0.9, help="AUC of the best possible forecast; 0.5: nothing can be known.")
    ] = 0.65,
    years: Annotated[int, typer.Option(min=1, max=40, help="Length of the history.")] = 15,
    symbols: Annotated[int, typer.Option(min=1, max=200, help="Stocks that are alike and move together.")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Which market of this kind.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Write a market whose best possible forecast is known: what the ensemble finds in it shows what it can find."""
    from daemon.console.tables import print_json
    from daemon.synthetic.simulate import simulate as write
    from ensemble.evaluation.synthetic import SyntheticOptions

    written = write(SyntheticOptions(auc=auc, years=years, symbols=symbols, seed=seed), out)
    if as_json:
        measured = {label: {"auc": area, "standard_error": error} for label, (area, error) in written.oracle.items()}
        print_json({"config": written.config, "sessions": written.sessions, "oracle": measured})
        return
    typer.echo(f"{counted(written.sessions, 'session')} of {counted(symbols, 'symbol')} written to {out}")
    for label, (area, error) in written.oracle.items():
        typer.echo(f"  oracle, {label}: AUC {area:.4f}, standard error {error:.4f}")
    typer.echo(f"next: see the first lines of {written.config}")
