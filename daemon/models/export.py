"""A version as a folder for people: its manifest, and each member's files by name. Nothing reads it back."""

import json
from pathlib import Path

from daemon.errors import DaemonError
from storage.model_store import ModelStore


def export_version(store: ModelStore, model_id: str, folder: Path) -> list[Path]:
    """What was written: `manifest.json`, and a folder for each member's seed, `history.csv` of its training included.

    Raises ModelStoreError when a part is damaged, DaemonError when the folder is there or cannot be written.
    """
    manifest = store.manifest(model_id)
    digests = manifest.get("parts", {})
    files = {Path("manifest.json"): json.dumps(manifest, indent=1, sort_keys=True).encode()}
    named = [(f"{name}-{seed}", key) for name, keys in manifest["members"] for seed, key in enumerate(keys)]
    for place, key in [*named, ("combiner", manifest["combiner"])]:
        part = store.get_part(key, digests.get(key))
        files |= {Path(place, name): content for name, content in part.items()}
    try:
        folder.mkdir(parents=True)
        for path, content in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)
    except OSError as error:
        raise DaemonError(f"--out {folder} cannot be written: {error.strerror}; name a new folder.") from error
    return [folder / path for path in sorted(files)]
