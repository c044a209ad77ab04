"""The commands `models ...`: which versions there are, and who serves. The daemon may run."""

import typer

models_app = typer.Typer(help="Look after the versions of the models.", no_args_is_help=True)
