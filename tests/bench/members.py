"""The members that the benchmarks train."""

from pydantic import TypeAdapter

from ensemble.members.specs import LstmSpec, MemberEntry


def wider(**changes: object) -> LstmSpec:
    """The preset "wider" as it is trained by default, with some of its figures changed."""
    spec: object = TypeAdapter(MemberEntry).validate_python({"preset": "wider"} | changes)
    assert isinstance(spec, LstmSpec)
    return spec
