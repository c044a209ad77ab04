"""A version as a folder for people: its manifest, and each member's files by name. Nothing reads it back."""

import json
from collections.abc import Mapping
from pathlib import Path

from daemon.errors import DaemonError
from daemon.models.keras_files import FILE, write_keras
from daemon.training.child import Child, TaskLimits
from ensemble.members.fitted import Files
from storage.model_store import ModelStore


def export_version(store: ModelStore, model_id: str, folder: Path, limits: TaskLimits) -> list[Path]:
    """What was written: `manifest.json`, and a folder for each member's seed, `history.csv` of its training included.

    A network is also written as a model of Keras, by a process under `limits`. Raises ModelStoreError when a part is
    damaged, DaemonError when the folder is there or cannot be written.
    """
    manifest = store.manifest(model_id)
    digests = manifest.get("parts", {})
    files = {Path("manifest.json"): json.dumps(manifest, indent=1, sort_keys=True).encode()}
    named = [(f"{name}-{seed}", key) for name, keys in manifest["members"] for seed, key in enumerate(keys)]
    parts = {
        place: store.get_part(key, digests.get(key)) for place, key in [*named, ("combiner", manifest["combiner"])]
    }
    files |= {Path(place, name): content for place, part in parts.items() for name, content in part.items()}
    try:
        folder.mkdir(parents=True)
        for path, content in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)
    except OSError as error:
        raise DaemonError(f"--out {folder} cannot be written: {error.strerror}; name a new folder.") from error
    return sorted([*(folder / path for path in files), *_networks(parts, folder, limits)])


def _networks(parts: Mapping[str, Files], folder: Path, limits: TaskLimits) -> list[Path]:
    """The file of each network among the parts. Raises DaemonError."""
    networks = {place: part for place, part in parts.items() if _is_network(part)}
    paths = [folder / place / FILE for place in networks]
    if networks:
        child = Child(limits)
        try:
            tasks = [(part, str(path)) for part, path in zip(networks.values(), paths, strict=True)]
            child.call(write_keras, tasks, given_up=lambda: False)
        finally:
            child.end()
    return paths


def _is_network(part: Files) -> bool:
    return "member.json" in part and json.loads(part["member.json"])["kind"] == "lstm"
