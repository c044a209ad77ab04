"""What a sweep searches: which figures of a member may be which, and the [sweep] table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, TypeAdapter

from ensemble.members.specs import PRESETS, LstmSpec, MemberEntry, MemberSpec
from ensemble.options import Options

Kind = Literal["lstm", "logit", "lightgbm"]
Params = Mapping[str, Any]
"""Figure -> value; a figure is named by the member's kind and its own name, as in "lstm.dropout"."""


class SweepOptions(Options):
    """The [sweep] table: how it is searched. What is searched for, and where, the command line says."""

    kinds: tuple[Kind, ...] = Field(
        ("lstm", "logit", "lightgbm"), min_length=1, description="kinds of member that are tried"
    )
    training: Literal["panel", "published"] = Field("panel", description="how networks are trained")
    seeds: int = Field(1, ge=1, le=20, description="networks or forests a trial")
    looks: int = Field(6, ge=1, le=50, description="parts of the range after which a poor trial may be given up")
    seed: int = Field(0, ge=0, le=1_000_000, description="of the search itself; another searches elsewhere")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number from `low` to `high`, both possible: whole if they are, on a grid with `step`, by ratios with `log`."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def is_whole(self) -> bool:
        """Only whole numbers are tried."""
        return isinstance(self.low, int)


Space = Mapping[str, Mapping[str, Figure]]
"""Kind of member -> its figures by name."""

_NETWORK = {
    "width": Figure(32, 384, step=32),
    "layers": Figure(1, 3),
    "dropout": Figure(0.1, 0.6, step=0.05),
    "learning_rate": Figure(0.0001, 0.01, log=True),
    "sequence_steps": Figure(20, 120, step=20),
}
_LSTM = {
    "panel": {
        "epochs": Figure(2, 16),
        "input_dropout": Figure(0.0, 0.6, step=0.1),
        "input_noise": Figure(0.0, 0.6, step=0.1),
        "skip_penalty": Figure(300.0, 30_000.0, log=True),
    },
    "published": {"batch_size": Figure(8, 64, step=8), "max_epochs": Figure(4, 40, step=4)},
}
_OTHERS = {
    "logit": {"penalty": Figure(10.0, 100_000.0, log=True)},
    "lightgbm": {
        "rounds": Figure(50, 600, step=50),
        "learning_rate": Figure(0.005, 0.2, log=True),
        "leaves": Figure(3, 63),
        "min_leaf_rows": Figure(20, 2000, log=True),
        "feature_share": Figure(0.1, 1.0, step=0.1),
    },
}


def search_space(options: SweepOptions) -> Space:
    """The figures of every kind that is searched. Layers of a network are each half as wide as the one before."""
    every = _OTHERS | {"lstm": _NETWORK | _LSTM[options.training]}
    return {kind: every[kind] for kind in options.kinds}


def first_specs(options: SweepOptions) -> tuple[MemberSpec, ...]:
    """The presets of the kinds that are searched, in their order: what every search begins with."""
    presets = (_spec({"preset": name}, options) for name in PRESETS)
    return tuple(spec for spec in presets if spec.kind in options.kinds)


def spec_of(params: Params, name: str, options: SweepOptions) -> MemberSpec:
    """The member of that name with these figures; `params` has its kind besides."""
    kind = params["kind"]
    given = {figure.removeprefix(f"{kind}."): value for figure, value in params.items() if figure != "kind"}
    if kind == "lstm":
        width, layers = given.pop("width"), given.pop("layers")
        given["units"] = tuple(width >> layer for layer in range(layers))
    return _spec({"kind": kind, "name": name} | given, options)


def params_of(spec: MemberSpec, options: SweepOptions) -> dict[str, Any]:
    """The figures of the spec that are searched, and its kind: what `spec_of` makes it from."""
    figures = spec.model_dump()
    if isinstance(spec, LstmSpec):
        figures |= {"width": spec.units[0], "layers": len(spec.units)}
    return {"kind": spec.kind} | {f"{spec.kind}.{name}": figures[name] for name in search_space(options)[spec.kind]}


def _spec(entry: Mapping[str, Any], options: SweepOptions) -> MemberSpec:
    of_kind = entry.get("kind") or PRESETS[entry["preset"]].get("kind", "lstm")
    more: dict[str, Any] = {} if of_kind == "logit" else {"seeds": options.seeds}
    if of_kind == "lstm":
        more["training"] = options.training
    spec: MemberSpec = TypeAdapter(MemberEntry).validate_python(dict(entry) | more)
    return spec
