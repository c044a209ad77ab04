"""The models of one desk: found in the store, read, or made."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from loguru import logger

from daemon.models.early import Early, early_of
from daemon.models.factory import ModelFactory
from daemon.models.loading import load_model, set_damaged_aside
from daemon.services import Services
from daemon.training.trainer import OutOfTime, no_hurry
from ensemble.model import Model
from ensemble.stacking.combiner import who_speaks
from ensemble.windows import months_before
from storage.engine import reading, transaction
from storage.model_index import ModelEntry, earlier_models, find_model, month_models, read_model, write_model
from storage.model_store import ModelStoreError


@dataclass(frozen=True)
class Shelf:
    """Of the panel with those features; `whole` takes only models of the bars as they are now."""

    services: Services
    features: tuple[str, ...]
    factory: Callable[[], ModelFactory]
    whole: bool
    _read: dict[str, Model] = field(default_factory=dict)
    """Of a live desk, the models that were whole when they were read: each session asks again."""

    def entry(self, month: str) -> ModelEntry | None:
        """The newest published version of `month` by this configuration, whole or not."""
        bars = self.factory().bars_digest(month) if self.whole else None
        with reading(self.services.engine) as conn:
            return find_model(conn, month=month, recipe=self.services.recipe().digest(), bars=bars)

    def before(self, entry: ModelEntry) -> ModelEntry | None:
        """The version that it followed: of an early one that of its own month, else the newest of the month before."""
        if early_of(entry.manifest) is not None:
            return self._regular(entry.month)
        return self.entry(self.services.settings.ensemble.serving(months_before(entry.month, 1)[0]))

    def found(self, month: str) -> Model | None:
        """That version, read; None when there is none, or it is damaged."""
        entry = self.entry(month)
        return None if entry is None else self.read(entry.model_id)

    def named(self, model_id: str) -> ModelEntry:
        """The entry of that version. Raises ModelStoreError when it is not known."""
        with reading(self.services.engine) as conn:
            entry = read_model(conn, model_id)
        if entry is None:
            raise ModelStoreError(f"model {model_id} is not known here.")
        return entry

    def read(self, model_id: str) -> Model | None:
        """None when it is not there, was made for another panel, or is damaged, of which the log tells."""
        try:
            return self.read_whole(model_id)
        except ModelStoreError as error:
            logger.error("{}", error)
            return None

    def read_whole(self, model_id: str) -> Model:
        """Raises ModelStoreError when it is not there, was made for another panel, or is damaged.

        The damaged parts are put aside then, so that they count as missing.
        """
        if model_id in self._read:
            return self._read[model_id]
        if self.named(model_id).manifest["features"] != list(self.features):
            raise ModelStoreError(f"model {model_id} was made from other features.")
        try:
            model = load_model(self.services.models, model_id)
            if not self.whole:
                _ = model.members  # read now, while another can still take its place
                self._read[model_id] = model
        except ModelStoreError:
            with suppress(ModelStoreError):
                set_damaged_aside(self.services.models, model_id)
            raise
        return model

    def earlier(self, month: str) -> Model | None:
        """The newest whole model of an earlier month by this configuration, None when there is none."""
        return next((model for entry in self._earlier(month) if (model := self.read(entry.model_id))), None)

    def made(self, month: str, out_of_time: OutOfTime = no_hurry, *, early: Early | None = None) -> Model:
        """Trained where parts are missing, and published. Raises TrainingFailed, WindowError, ModelStoreError."""
        logger.info("{}: training the models of the month{}", month, f", {early.why()}" if early else "")
        services = self.services
        parent = next(iter(self._earlier(month)), None) if early is None else self._regular(month)
        factory = replace(self.factory(), out_of_time=_living(services, out_of_time))
        model_id = factory.publish(month, parent=None if parent is None else parent.model_id, early=early)
        manifest = services.models.manifest(model_id)
        with transaction(services.engine) as conn:
            write_model(conn, ModelEntry(model_id, month, services.clock.now(), manifest))
        logger.info("{}: model {} is made; {}", month, model_id, who_speaks(manifest))
        return load_model(services.models, model_id)

    def _regular(self, month: str) -> ModelEntry | None:
        """The newest version that was made when `month` began."""
        with reading(self.services.engine) as conn:
            found = month_models(conn, month=month, recipe=self.services.recipe().digest())
        return next((one for one in found if early_of(one.manifest) is None), None)

    def _earlier(self, month: str) -> list[ModelEntry]:
        with reading(self.services.engine) as conn:
            return earlier_models(conn, before=month, recipe=self.services.recipe().digest())


def _living(services: Services, out_of_time: OutOfTime) -> OutOfTime:
    """The same; each time that it is asked, the training shows that it does not hang."""

    def asked() -> bool:
        services.alive()
        return out_of_time()

    return asked
