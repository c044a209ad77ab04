"""Models at rest: immutable parts, named by what they were made from, and manifests that name a version's parts."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.durable import replace_durably, sync_folder, write_durably
from storage.part_bounds import check_arrays, check_list, check_sizes

Files = Mapping[str, bytes]
CHECKSUMS = "sha256.json"


class ModelStoreError(RuntimeError):
    """A stored model is missing, damaged, or cannot be written."""


class DamagedPart(ModelStoreError):
    """A part is missing or not what it was when it was written; it can be made again."""


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """What the disk refuses below `root` becomes a ModelStoreError."""
    try:
        yield
    except OSError as error:
        raise ModelStoreError(
            f"model folder {root} cannot be written: {error.strerror}; free space or mend its rights."
        ) from error


@dataclass(frozen=True, slots=True)
class ModelStore:
    """A folder: `parts/KEY/` holds the files of one trained part, `versions/MODEL_ID.json` a version's manifest.

    Everything is written beside its place and renamed into it, so that a reader sees all of it or nothing.
    """

    root: Path
    read_only: bool = False
    """For looking: what is damaged stays where it is, and nothing notes what was used."""

    def has_part(self, key: str) -> bool:
        """True when the part has been published."""
        return (self.part_folder(key) / CHECKSUMS).is_file()

    def put_part(self, key: str, files: Files) -> None:
        """Publishes a part; one already there stays as it is. Raises ModelStoreError when it cannot be written."""
        with writing(self.root):
            self.part_folder(key).parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.part_folder(key).parent))
            try:
                self._publish_part(key, files, draft)
            finally:
                shutil.rmtree(draft, ignore_errors=True)  # what has no room now would take it from the next attempt

    def _publish_part(self, key: str, files: Files, draft: Path) -> None:
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        for name, content in (*files.items(), (CHECKSUMS, json.dumps(sums, sort_keys=True).encode())):
            write_durably(draft / name, content)
        sync_folder(draft)
        if not self.has_part(key):
            self._set_aside(self.part_folder(key))  # without its checksums it would hold the place and never count
        self._rename(draft, self.part_folder(key))
        sync_folder(self.part_folder(key).parent)

    def get_part(self, key: str, digest: str | None = None) -> Files:
        """The files of a part. Raises DamagedPart when it is missing or damaged, or not the one of that digest.

        A damaged one is moved aside.
        """
        if self.read_only:
            return self.check_part(key, digest)
        try:
            files = self.check_part(key, digest)
        except ModelStoreError:
            self._set_aside(self.part_folder(key))
            raise
        with suppress(OSError):
            os.utime(self.part_folder(key))  # when it was last used: the clean-up may ask
        return files

    def check_part(self, key: str, digest: str | None = None) -> Files:
        """The files of a part, which stays where it is. Raises DamagedPart when it is missing or damaged.

        With a `digest`, also when its list of files is another than the one of that SHA-256.
        """
        folder = self.part_folder(key)
        try:
            listed = (folder / CHECKSUMS).read_bytes()
            sums = check_list(json.loads(listed))
            check_sizes([folder / name for name in sums])
            files = {name: (folder / name).read_bytes() for name in sums}
        except (OSError, ValueError) as error:
            raise DamagedPart(f"model part {key[:24]} in {self.root} cannot be read: {error}.") from error
        wrong = [name for name, content in files.items() if hashlib.sha256(content).hexdigest() != sums[name]]
        if wrong:
            raise DamagedPart(f"model part {key[:24]} in {self.root}: {wrong[0]} does not match its checksum.")
        if digest is not None and hashlib.sha256(listed).hexdigest() != digest:
            raise DamagedPart(f"model part {key[:24]} in {self.root} is another than the version was made of.")
        self._check_arrays(folder, sums)
        return files

    def part_digest(self, key: str) -> str:
        """The SHA-256 of a part's list of files, for a manifest. Raises DamagedPart when it is missing."""
        try:
            return hashlib.sha256((self.part_folder(key) / CHECKSUMS).read_bytes()).hexdigest()
        except OSError as error:
            raise DamagedPart(f"model part {key[:24]} in {self.root} cannot be read: {error}.") from error

    def _check_arrays(self, folder: Path, names: Iterable[str]) -> None:
        for name in names:
            if name.endswith(".npz"):
                try:
                    check_arrays(folder / name)
                except ValueError as error:
                    raise DamagedPart(f"model part {folder.name[:24]} in {self.root}: {error}.") from error

    def part_keys(self) -> list[str]:
        """Every part's key, in order."""
        return sorted(path.name for path in (self.root / "parts").glob("[!.]*"))

    def model_ids(self) -> list[str]:
        """Every version's id, the oldest month first."""
        return sorted(path.stem for path in (self.root / "versions").glob("[!.]*.json"))

    def publish(self, manifest: Mapping[str, Any]) -> str:
        """Writes a version's manifest and returns its id: the month and a digest of the manifest."""
        content = json.dumps(manifest, sort_keys=True, indent=1).encode()
        model_id = f"{manifest['month']}-{hashlib.sha256(content).hexdigest()[:12]}"
        place = self.manifest_file(model_id)
        with writing(self.root):
            replace_durably(place, content, draft=place.with_name(f".draft-{model_id}"))
        return model_id

    def manifest(self, model_id: str) -> dict[str, Any]:
        """A version's manifest. Raises ModelStoreError when there is none or it is not what its id says."""
        try:
            content = self.manifest_file(model_id).read_bytes()
        except FileNotFoundError as error:
            raise ModelStoreError(f"model {model_id} is not in {self.root}; retrain, or restore the folder.") from error
        except OSError as error:
            raise ModelStoreError(
                f"model {model_id} can't be read from {self.root} ({error.strerror}); mend its rights, "
                "or do this as the user who runs the daemon."
            ) from error
        if not model_id.endswith(hashlib.sha256(content).hexdigest()[:12]):
            raise ModelStoreError(
                f"model {model_id}: its manifest does not match its name; retrain, or restore the folder."
            )
        manifest: dict[str, Any] = json.loads(content)
        return manifest

    @staticmethod
    def _set_aside(folder: Path) -> None:
        """Out of the way, so that the part counts as missing and can be made again; kept, so that one can look."""
        if folder.is_dir():
            with suppress(OSError):
                folder.rename(Path(tempfile.mkdtemp(prefix=".damaged-", dir=folder.parent)) / folder.name)

    def part_folder(self, key: str) -> Path:
        """Where a part lies."""
        return self.root / "parts" / key

    def manifest_file(self, model_id: str) -> Path:
        """Where a version's manifest lies."""
        return self.root / "versions" / f"{model_id}.json"

    @staticmethod
    def _rename(draft: Path, place: Path) -> None:
        """Another process may have published the same part first: its files are equal, so these are not needed."""
        try:
            draft.rename(place)
        except OSError:
            if not place.is_dir():
                raise
