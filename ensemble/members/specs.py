"""Which members there can be: the published LSTM presets, a ridge-logit, a LightGBM."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ensemble.options import Options

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"


ONLY_PANEL = frozenset(
    {
        "epochs",
        "segments_per_step",
        "learned_steps",
        "warmup_steps",
        "input_dropout",
        "input_noise",
        "skip_penalty",
    }
)
ONLY_PUBLISHED = frozenset({"batch_size", "max_epochs", "patience_epochs", "validation_pct"})
"""Settings of `LstmSpec` by the way of training that reads them."""


class LstmSpec(Options):
    """Stacked LSTM with attention, one output a label. Defaults are those of no preset: name one, or give units."""

    kind: Literal["lstm"] = "lstm"
    name: str = Field(pattern=NAME_PATTERN, description="the member's name in tables and reports")
    units: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(
        min_length=1, max_length=6, description="hidden units, one number a layer"
    )
    dropout: float = Field(0.30, ge=0, lt=1, description="share of hidden units dropped between layers")
    learning_rate: float = Field(0.001, gt=0, le=0.1, description="step size of Adam, at its highest")
    sequence_steps: int = Field(60, ge=2, le=500, description="sessions that the attention looks back on")
    seeds: int = Field(2, ge=1, le=20, description="networks trained from different seeds and averaged")
    training: Literal["panel", "published"] = Field(
        "panel",
        description='"panel": fast, sequence to sequence; "published": single windows with Keras fit, the reference',
    )
    # Of "panel" alone.
    epochs: int = Field(8, ge=1, le=500, description="panel: passes over the window")
    segments_per_step: int = Field(32, ge=1, le=1024, description="panel: segments a training step")
    learned_steps: int = Field(120, ge=1, le=5000, description="panel: sessions of a segment that are learned from")
    warmup_steps: int = Field(20, ge=0, le=500, description="panel: sessions before the first loss of a segment")
    input_dropout: float = Field(
        0.3, ge=0, lt=1, description="panel: share of the features dropped, a segment at a time"
    )
    input_noise: float = Field(
        0.3, ge=0, le=2, description="panel: standard deviation of noise added to the standardised features"
    )
    skip_penalty: float = Field(3000.0, gt=0, le=1e9, description="panel: strength of the linear skip's ridge")
    # Of "published" alone.
    batch_size: int = Field(16, ge=1, le=1024, description="published: windows a training step")
    max_epochs: int = Field(12, ge=1, le=500, description="published: passes over the window at most")
    patience_epochs: int = Field(
        3, ge=1, le=100, description="published: epochs without a better validation loss before training stops"
    )
    validation_pct: float = Field(
        15.0, gt=0, le=50, description="published: newest part of the window kept for early stopping, per cent"
    )

    @property
    def steps_seen(self) -> int:
        """How many sessions up to its own a forecast depends on."""
        return self.sequence_steps + (self.warmup_steps if self.training == "panel" else 0)


class LogitSpec(Options):
    """Logistic regression with a ridge penalty, one a label."""

    kind: Literal["logit"] = "logit"
    name: str = Field("logit", pattern=NAME_PATTERN, description="the member's name in tables and reports")
    penalty: float = Field(3000.0, gt=0, le=1e9, description="strength of the ridge, on standardised features")

    @property
    def seeds(self) -> int:
        """1: there is nothing random in it."""
        return 1


class TreesSpec(Options):
    """LightGBM on the features, one a label."""

    kind: Literal["lightgbm"] = "lightgbm"
    name: str = Field("lightgbm", pattern=NAME_PATTERN, description="the member's name in tables and reports")
    rounds: int = Field(150, ge=1, le=10_000, description="trees")
    learning_rate: float = Field(0.03, gt=0, le=1, description="shrinkage of each tree")
    leaves: int = Field(15, ge=2, le=1024, description="leaves a tree at most")
    min_leaf_rows: int = Field(200, ge=1, le=1_000_000, description="rows in a leaf at least")
    feature_share: float = Field(0.3, gt=0, le=1, description="share of the features offered to each tree")
    seeds: int = Field(1, ge=1, le=20, description="models grown from different seeds and averaged")


MemberSpec = LstmSpec | LogitSpec | TreesSpec


def training_settings(spec: MemberSpec) -> dict[str, Any]:
    """What its training depends on: not its name, the number of seeds, and what the other way of training reads."""
    idle: frozenset[str] = frozenset()
    if isinstance(spec, LstmSpec):
        idle = ONLY_PUBLISHED if spec.training == "panel" else ONLY_PANEL
    return spec.model_dump(mode="json", exclude={"name", "seeds", *idle})


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "baseline": {"units": (128, 64, 32), "dropout": 0.30, "learning_rate": 0.001, "batch_size": 16},
    "deeper": {"units": (256, 128, 64), "dropout": 0.40, "learning_rate": 0.0005, "batch_size": 16},
    "wider": {"units": (192, 96, 48), "dropout": 0.35, "learning_rate": 0.0008, "batch_size": 8},
    # The source gives no figure but "lower dropout" for this one and none but the units for the next three:
    # dropout and rates are ours, interpolated between its published rows.
    "wider-deeper": {"units": (256, 128, 64), "dropout": 0.30, "learning_rate": 0.0005, "batch_size": 16},
    "optimal": {"units": (192, 96, 48), "dropout": 0.30, "learning_rate": 0.0006, "batch_size": 16},
    "balanced": {"units": (224, 112, 56), "dropout": 0.35, "learning_rate": 0.0006, "batch_size": 16},
    "aggressive": {"units": (320, 160, 80), "dropout": 0.40, "learning_rate": 0.0008, "batch_size": 16},
    "logit": {"kind": "logit"},
    "lightgbm": {"kind": "lightgbm"},
}
"""The configurations of the document that inspired the project, and the two members beside them."""


def with_preset(entry: Any) -> Any:
    """A [[ensemble.members]] table with its preset filled in. Raises ValueError for an unknown preset."""
    if not isinstance(entry, Mapping):
        return entry
    given = dict(entry)
    name = given.pop("preset", None)
    if name is not None and name not in PRESETS:
        raise ValueError(f"preset {name!r} is none of {', '.join(PRESETS)}")
    preset = dict(PRESETS[name]) | {"name": name} if name is not None else {}
    return {"kind": "lstm"} | preset | given


MemberEntry = Annotated[
    Annotated[MemberSpec, Field(discriminator="kind")],
    BeforeValidator(with_preset),
]
