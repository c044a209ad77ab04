"""Members are named by presets, and every figure of a preset can be changed."""

import pytest
from pydantic import TypeAdapter, ValidationError

from ensemble.members.specs import PRESETS, LogitSpec, LstmSpec, MemberEntry, MemberSpec
from ensemble.model import EnsembleOptions

ENTRY: TypeAdapter[MemberSpec] = TypeAdapter(MemberEntry)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_member_of_its_own_name(name: str) -> None:
    assert ENTRY.validate_python({"preset": name}).name == name


def test_the_published_figures_are_kept() -> None:
    wider = ENTRY.validate_python({"preset": "wider"})
    assert isinstance(wider, LstmSpec)
    assert (wider.units, wider.dropout, wider.learning_rate, wider.batch_size) == ((192, 96, 48), 0.35, 0.0008, 8)


def test_a_preset_with_a_figure_changed_keeps_the_others() -> None:
    member = ENTRY.validate_python({"preset": "baseline", "name": "small", "units": [16]})
    assert isinstance(member, LstmSpec)
    assert (member.name, member.units, member.dropout) == ("small", (16,), 0.30)


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(ValidationError, match="preset 'widest' is none of baseline, deeper, wider"):
        ENTRY.validate_python({"preset": "widest"})


def test_two_members_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two members are called 'logit'"):
        EnsembleOptions(members=(LogitSpec(), LogitSpec(penalty=1.0)))


def test_two_equal_members_of_different_names_are_refused() -> None:
    with pytest.raises(ValidationError, match="members 'logit' and 'again' are the same; use one with seeds = 2"):
        EnsembleOptions(members=(LogitSpec(), LogitSpec(name="again")))


def test_the_default_ensemble_has_networks_a_logit_and_trees() -> None:
    kinds = [member.kind for member in EnsembleOptions().members]
    assert kinds == ["lstm", "lstm", "lstm", "logit", "lightgbm"]
