"""Models at rest: immutable parts, named by what they were made from, and manifests that name a version's parts."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Files = Mapping[str, bytes]
CHECKSUMS = "sha256.json"


class ModelStoreError(RuntimeError):
    """A stored model is missing, damaged, or cannot be written."""


@dataclass(frozen=True, slots=True)
class ModelStore:
    """A folder: `parts/KEY/` holds the files of one trained part, `versions/MODEL_ID.json` a version's manifest.

    Everything is written beside its place and renamed into it, so that a reader sees all of it or nothing.
    """

    root: Path

    def has_part(self, key: str) -> bool:
        """True when the part has been published."""
        return (self._part(key) / CHECKSUMS).is_file()

    def put_part(self, key: str, files: Files) -> None:
        """Publishes a part; one already there stays as it is. Raises ModelStoreError when it cannot be written."""
        try:
            self._part(key).parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._part(key).parent))
            sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
            for name, content in (*files.items(), (CHECKSUMS, json.dumps(sums, sort_keys=True).encode())):
                _write(draft / name, content)
            self._rename(draft, self._part(key))
            _sync(self._part(key).parent)
        except OSError as error:
            raise ModelStoreError(
                f"model folder {self.root} cannot be written: {error.strerror}; free space or mend its rights."
            ) from error

    def get_part(self, key: str) -> Files:
        """The files of a part. Raises ModelStoreError when it is missing or damaged; a damaged one is moved aside."""
        folder = self._part(key)
        try:
            sums = json.loads((folder / CHECKSUMS).read_bytes())
            files = {name: (folder / name).read_bytes() for name in sums}
            wrong = [name for name, content in files.items() if hashlib.sha256(content).hexdigest() != sums[name]]
        except (OSError, ValueError) as error:
            self._set_aside(folder)
            raise ModelStoreError(f"model part {key[:24]} in {self.root} cannot be read: {error}.") from error
        if wrong:
            self._set_aside(folder)
            raise ModelStoreError(f"model part {key[:24]} in {self.root}: {wrong[0]} does not match its checksum.")
        return files

    def publish(self, manifest: Mapping[str, Any]) -> str:
        """Writes a version's manifest and returns its id: the month and a digest of the manifest."""
        content = json.dumps(manifest, sort_keys=True, indent=1).encode()
        model_id = f"{manifest['month']}-{hashlib.sha256(content).hexdigest()[:12]}"
        try:
            self._version(model_id).parent.mkdir(parents=True, exist_ok=True)
            draft = self._version(model_id).with_suffix(".draft")
            _write(draft, content)
            draft.replace(self._version(model_id))
            _sync(draft.parent)
        except OSError as error:
            raise ModelStoreError(
                f"model folder {self.root} cannot be written: {error.strerror}; free space or mend its rights."
            ) from error
        return model_id

    def manifest(self, model_id: str) -> dict[str, Any]:
        """A version's manifest. Raises ModelStoreError when there is none or it is not what its id says."""
        try:
            content = self._version(model_id).read_bytes()
        except OSError as error:
            raise ModelStoreError(f"model {model_id} is not in {self.root}; retrain, or restore the folder.") from error
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

    def _part(self, key: str) -> Path:
        return self.root / "parts" / key

    def _version(self, model_id: str) -> Path:
        return self.root / "versions" / f"{model_id}.json"

    @staticmethod
    def _rename(draft: Path, place: Path) -> None:
        """Another process may have published the same part first: its files are equal, so the draft goes."""
        try:
            draft.rename(place)
        except OSError:
            shutil.rmtree(draft)
            if not place.is_dir():
                raise


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """A rename lasts through a power cut only once its folder is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
