"""A bucket of Google Cloud Storage as a shelf of named objects. The only importer of google-cloud-storage.

Every write names the generation that it replaces, so that no retry and no second writer undoes what another has done,
and every call ends within its time. Nothing heavy is loaded before the first call.
"""

import errno
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.api_core.retry import Retry

NEW = 0
"""In place of the generation: there must be no such object."""
_ROLE = "give the credential's account the role Storage Object Admin on the bucket."
_OF_THIS_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO)
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


class CloudError(RuntimeError):
    """The bucket can't be used as asked; the message says what is wrong and the remedy."""


class BucketAway(CloudError):
    """It does not answer, or not now: it is tried again."""


class BucketRefused(CloudError):
    """It answers, and somebody has to mend something: a right, a name, what lies in it."""


class Overtaken(CloudError):
    """The object is not the one that was to be replaced: another writer was first."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One object, as the bucket lists it."""

    size_bytes: int
    crc32c: str
    """Base64 of the big-endian checksum, as Google writes it."""
    generation: int


@dataclass(frozen=True)
class Bucket:
    """The objects of one bucket whose names begin with `prefix` and a slash; all names here are without it."""

    name: str
    prefix: str
    credentials: Path | None = None
    """The key file of a service account or of a workload identity; None for what the environment offers."""
    timeout_s: float = 60.0
    """Of one call and all its repetitions; of a file's transfer, without a byte."""
    chunk_bytes: int = 8 << 20
    """What is larger goes up in chunks, multiples of 256 KiB; one that breaks off is sent again, not the whole."""

    @property
    def url(self) -> str:
        """As people write it, with the prefix."""
        return f"gs://{self.name}/{self.prefix}"

    def __enter__(self) -> "Bucket":
        return self

    def __exit__(self, *_: object) -> None:
        """Closes its connections; the next call opens others."""
        client = self.__dict__.pop("_client", None)
        self.__dict__.pop("_bucket", None)
        if client is not None:
            client.close()

    def listed(self, folder: str) -> dict[str, Stored]:
        """Every object whose name begins with `folder`. Raises CloudError, as all that follow."""
        with self._plain_errors():
            found = self._client.list_blobs(self._bucket, prefix=self._full(folder), **self._limits)
            return {blob.name.removeprefix(f"{self.prefix}/"): _stored(blob) for blob in found}

    def put(self, name: str, file: Path, *, replaces: int = NEW) -> None:
        """Writes the object, unless it is already what it should be; checked by its CRC-32C. Raises Overtaken."""
        checksum, size = crc32c_of(file), file.stat().st_size
        blob = self._bucket.blob(self._full(name), chunk_size=self.chunk_bytes if size > self.chunk_bytes else None)
        with self._plain_errors():
            try:
                blob.upload_from_filename(file, checksum="crc32c", if_generation_match=replaces, **self._limits)
                there = _stored(blob)
            except self._overtaken:  # perhaps by an earlier attempt of our own, whose answer was lost
                there = self._look(name)
                if (there.crc32c, there.size_bytes) != (checksum, size):
                    raise
        if (there.crc32c, there.size_bytes) != (checksum, size):
            raise BucketAway(f"{self._shown(name)} was damaged on its way up; it is sent again.")

    def get(self, name: str, target: Path, *, most_bytes: int) -> None:
        """Writes the object to the new file `target`. Raises BucketRefused for one that is missing or larger."""
        with self._plain_errors(), target.open("xb") as file:
            blob = self._bucket.blob(self._full(name))
            blob.download_to_file(_Bounded(file, most_bytes, self._shown(name)), checksum="crc32c", **self._limits)

    def read(self, name: str, target: Path, *, most_bytes: int) -> int | None:
        """Writes the object to `target` and returns the generation that this was; None where there is no such one."""
        with self._plain_errors(), target.open("wb") as file:
            blob = self._bucket.get_blob(self._full(name), **self._limits)
            if blob is None:
                self.listed(name)  # which says so if it is the bucket that is not there
                return None
            bounded = _Bounded(file, most_bytes, self._shown(name))
            blob.download_to_file(bounded, if_generation_match=blob.generation, **self._limits)
            return int(blob.generation)

    def remove(self, name: str, *, generation: int) -> None:
        """Removes that generation of the object; one that is gone, or is another by now, is none to be removed."""
        from google.api_core.exceptions import NotFound

        with self._plain_errors():
            try:
                self._bucket.blob(self._full(name)).delete(if_generation_match=generation, **self._limits)
            except (NotFound, self._overtaken):
                return

    def _look(self, name: str) -> Stored:
        blob = self._bucket.blob(self._full(name))
        blob.reload(**self._limits)
        return _stored(blob)

    def _full(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def _shown(self, name: str) -> str:
        return f"{self.url}/{name}"

    @cached_property
    def _client(self) -> Any:
        from google.cloud import storage

        # Without credentials the library finds those of the environment; a project is needed for making buckets only.
        return storage.Client(project="none", credentials=_from_file(self.credentials))

    @cached_property
    def _bucket(self) -> Any:
        with self._plain_errors():
            return self._client.bucket(self.name)

    @cached_property
    def _limits(self) -> "dict[str, float | Retry]":
        from google.cloud.storage.retry import DEFAULT_RETRY

        patient = DEFAULT_RETRY.with_delay(initial=0.2, maximum=8, multiplier=2).with_timeout(self.timeout_s)
        return {"timeout": self.timeout_s, "retry": patient}

    @cached_property
    def _overtaken(self) -> type[Exception]:
        from google.api_core.exceptions import PreconditionFailed

        return PreconditionFailed

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """Whatever the libraries raise becomes a CloudError of one line."""
        _load()
        try:
            yield
        except CloudError:
            raise
        except Exception as error:
            raise self._plain(error) from error

    def _plain(self, error: Exception) -> CloudError:
        if isinstance(error, OSError) and error.errno in _OF_THIS_MACHINE:
            return _local(error)
        kind, fault = next((kind, fault) for types, kind, fault in _faults() if isinstance(error, types))
        return kind(f"bucket {self.name} {fault.format(_in_a_line(error))}")


@cache
def _faults() -> tuple[tuple[tuple[type[Exception], ...], type[CloudError], str], ...]:
    """What the libraries raise, what that is, and how it is told: the first that fits."""
    from google.api_core import exceptions as api
    from google.auth.exceptions import GoogleAuthError, TransportError

    away = "can't be reached ({0}); it is tried again."
    return (
        ((api.PreconditionFailed,), Overtaken, "was written to by another writer first; try again."),
        ((api.Unauthorized, api.Forbidden), BucketRefused, f"refused ({{0}}); {_ROLE}"),
        ((api.NotFound,), BucketRefused, "has no such thing ({0}); check cloud.bucket and cloud.prefix."),
        ((api.TooManyRequests, TransportError), BucketAway, away),
        ((GoogleAuthError,), BucketRefused, "can't be asked without a usable credential ({0}); see docs/cloud.md."),
        ((api.ClientError,), BucketRefused, "refused the request ({0}); check cloud.bucket and cloud.prefix."),
        ((Exception,), BucketAway, away),
    )


def _load() -> None:
    """The library, without its wish for grpc, and without a thread that asks for what only tracing shows."""
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)
        import google.cloud.storage  # noqa: F401


def crc32c_of(file: Path) -> str:
    """The CRC-32C of a file as Google writes it."""
    import base64

    import google_crc32c

    checksum = google_crc32c.Checksum()
    with file.open("rb") as opened:
        for _ in checksum.consume(opened, 1 << 20):
            pass
    return base64.b64encode(checksum.digest()).decode()


@contextmanager
def local_faults() -> Iterator[None]:
    """What this machine's disk refuses becomes a CloudError."""
    try:
        yield
    except OSError as error:
        raise _local(error) from error


def _local(error: OSError) -> CloudError:
    return CloudError(f"{error.filename or 'the disk'}: {error.strerror}; free some space, or mend its rights.")


class _Bounded:
    """A file that refuses to grow beyond what it was said to hold."""

    def __init__(self, file: Any, most_bytes: int, name: str) -> None:
        self._file, self._left, self._most, self._name = file, most_bytes, most_bytes, name

    def write(self, block: bytes) -> int:
        self._left -= len(block)
        if self._left < 0:
            raise BucketRefused(f"{self._name} is larger than {self._most} bytes; somebody else wrote it: remove it.")
        return int(self._file.write(block))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _stored(blob: Any) -> Stored:
    return Stored(int(blob.size), str(blob.crc32c), int(blob.generation))


def _from_file(path: Path | None) -> Any:
    """Raises CloudError, for a file that can't be read or holds no credential."""
    if path is None:
        return None
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        with warnings.catch_warnings():
            # It warns of files that came from elsewhere; this one is named in the operator's own configuration.
            warnings.simplefilter("ignore", DeprecationWarning)
            credentials, _ = google.auth.load_credentials_from_file(str(path), scopes=[_SCOPE])
    except (OSError, ValueError, KeyError, json.JSONDecodeError, GoogleAuthError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise BucketRefused(
            f"cloud.credentials {path} is no usable credential ({why}); give the key file of a service account."
        ) from error
    return credentials


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
