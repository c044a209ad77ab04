"""Is it well: what is wrong, what was done last, which models there are."""

from daemon.console.redaction import one_line, redacted
from daemon.report.material import Material
from daemon.report.parts import Line, Part, Section, Table

MODELS_SHOWN = 8


def health(material: Material) -> Section:
    """What `status` says, at the instant of the report."""
    return Section(
        key="health",
        title="Is it well?",
        meaning="What is wrong or has to be known, the newest jobs, and the models; `reliance-daemon status` says it "
        "as of now.",
        short="Health",
        parts=(*_findings(material), _runs(material), _models(material)),
    )


def _findings(material: Material) -> tuple[Part, ...]:
    found = material.health.findings
    if not found:
        return (Line("All that was due is done.", "good"),)
    named = [(one.ill.replace("_", " ").lower(), one) for one in found]
    return tuple(Line(f"{name}: {_shown(one.text)}", "bad" if one.unhealthy else "") for name, one in named)


def _runs(material: Material) -> Part:
    rows = tuple(
        (
            f"{run.session}",
            run.kind,
            run.status.value,
            _shown(run.detail),
            f"{run.finished_at:%Y-%m-%d %H:%M}Z" if run.finished_at else "-",
        )
        for run in material.runs
    )
    if not rows:
        return Line("Nothing was done yet; `reliance-daemon run-once` does what is due.", "quiet")
    return Table("The newest jobs", ("session", "job", "state", "what it did", "ended"), rows, texts=5)


def _models(material: Material) -> Part:
    serving = material.trained.entry
    rows = tuple(
        (
            entry.model_id,
            "serves" if serving and entry.model_id == serving.model_id else "",
            entry.month,
            f"{entry.created_at:%Y-%m-%d %H:%M}Z",
        )
        for entry in material.models[:MODELS_SHOWN]
    )
    if not rows:
        return Line("No model was trained yet; `reliance-daemon run-once` trains the first.", "quiet")
    caption = f"The newest {len(rows)} of {len(material.models)} models; `reliance-daemon models list` has all"
    return Table(caption, ("model", "", "month", "trained"), rows, texts=4)


def _shown(text: str) -> str:
    """Words from elsewhere, a provider's say: no secret, and one line."""
    return one_line(redacted(text))
