"""Which version serves: the fold of what happened to all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce

from storage.promotion_store import POLICY, ModelEvent, ModelEventKind

SERVING = (ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK, ModelEventKind.PINNED)
"""From such an event on, its version serves."""
DECIDED_BY_POLICY = (ModelEventKind.PROMOTED, ModelEventKind.TRIED, ModelEventKind.HELD, ModelEventKind.KEPT)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the events come to."""

    served: tuple[str, ...] = ()
    """The champion last, and those before it that can be gone back to, none twice."""
    pinned: bool = False
    """The champion stays until it is unpinned."""
    considered: frozenset[str] = frozenset()
    """Versions that the policy has seen: it promoted them, tries or tried them, or holds them for a person."""
    refused: frozenset[str] = frozenset()
    """Versions that were damaged when they were read last."""
    on_trial: frozenset[str] = frozenset()
    """Versions of which the policy will say whether they serve."""
    judged: frozenset[str] = frozenset()
    """Versions that were scored."""

    @property
    def champion(self) -> str | None:
        """The version that serves; None before the first."""
        return self.served[-1] if self.served else None

    @property
    def predecessor(self) -> str | None:
        """The version that served before it, and that `rollback` goes back to."""
        return self.served[-2] if len(self.served) > 1 else None

    def after(self, event: ModelEvent) -> "Standing":
        """The standing once `event` has happened."""
        # Somebody may have pinned another version while the policy made up its mind.
        in_vain = self.pinned and event.actor == POLICY and event.kind in DECIDED_BY_POLICY
        return self if in_vain else self._after(event)

    def _after(self, event: ModelEvent) -> "Standing":
        model_id, now = event.model_id, self
        match event.kind:
            case ModelEventKind.PROMOTED | ModelEventKind.PINNED:
                now = self._serving((*(one for one in self.served if one != model_id), model_id))
                now = replace(now, pinned=now.pinned or event.kind is ModelEventKind.PINNED)
            case ModelEventKind.ROLLED_BACK:
                now = replace(self._serving(self._up_to(model_id)), pinned=False)
            case ModelEventKind.UNPINNED:
                now = replace(self, pinned=False)
            case ModelEventKind.TRIED:
                now = replace(self, considered=self.considered | {model_id}, on_trial=self.on_trial | {model_id})
            case ModelEventKind.HELD | ModelEventKind.KEPT:
                now = replace(self, considered=self.considered | {model_id}, on_trial=self.on_trial - {model_id})
            case ModelEventKind.JUDGED:
                now = replace(self, judged=self.judged | {model_id})
            case ModelEventKind.REFUSED:
                now = self._without(model_id)
        return now

    def _serving(self, served: tuple[str, ...]) -> "Standing":
        newest = set(served[-1:])
        return replace(
            self,
            served=served,
            considered=self.considered | newest,
            refused=self.refused - newest,
            on_trial=self.on_trial - newest,
        )

    def _up_to(self, model_id: str) -> tuple[str, ...]:
        """Those before `model_id`, and itself: what came after it is not gone back to."""
        if model_id not in self.served:
            return (*self.served[:-1], model_id)
        return self.served[: self.served.index(model_id) + 1]

    def _without(self, model_id: str) -> "Standing":
        """Damaged: once it is whole again the policy may promote it again."""
        left = tuple(one for one in self.served if one != model_id)
        pinned = self.pinned and self.champion != model_id
        return replace(
            self,
            served=left,
            pinned=pinned,
            considered=self.considered - {model_id},
            refused=self.refused | {model_id},
            on_trial=self.on_trial - {model_id},
        )


def standing_at(events: Iterable[ModelEvent], session: date, *, recipe: str) -> Standing:
    """The standing for `session`: of all events, in their order, that count for it.

    Other settings or other code begin anew: of the policy's events only those of `recipe` count.
    """
    standing = Standing()
    for event in events:
        if event.session <= session and event.recipe in ("", recipe):
            standing = standing.after(event)
    return standing


def last_champion(events: Iterable[ModelEvent]) -> str | None:
    """Who serves by all events, whichever settings and code they count for; None before the first."""
    return reduce(Standing.after, events, Standing()).champion


def serving_event(events: Sequence[ModelEvent]) -> ModelEvent | None:
    """The newest after which its version serves; None before the first."""
    return next((one for one in reversed(events) if one.kind in SERVING), None)


def is_chosen(events: Sequence[ModelEvent]) -> bool:
    """A person said which version serves, and the policy has promoted none since."""
    serves = serving_event(events)
    return serves is not None and serves.actor != POLICY


def is_refused(events: Sequence[ModelEvent], model_id: str) -> bool:
    """The last that happened to the version is that it was damaged."""
    last = next((one for one in reversed(events) if one.model_id == model_id), None)
    return last is not None and last.kind is ModelEventKind.REFUSED
