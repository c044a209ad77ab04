"""Backtests keep a trial for each label, with its losses: the columns are the same, their explanations are not."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """The data dictionary is made anew at the end of every upgrade."""


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
