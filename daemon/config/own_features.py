"""Loads a user's own features: the file that [audit] features names."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from daemon.errors import ConfigError
from ensemble.evaluation.audit.own_features import OwnFeatures

FUNCTION = "features"


def load_own_features(path: Path | None) -> OwnFeatures | None:
    """The function `features` of the Python file; None without a file. Raises ConfigError when it cannot be had."""
    if path is None:
        return None
    if not path.is_file():
        raise ConfigError(f"audit.features was {path}, which is no file; give a Python file, or leave the key out.")
    spec = spec_from_file_location("own_features", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"audit.features was {path}; it must be a Python file, whose name ends in .py.")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's code raises
        raise ConfigError(f"audit.features: {path} raised {type(error).__name__}: {error}; mend the file.") from error
    found = getattr(module, FUNCTION, None)
    if not callable(found):
        raise ConfigError(f"audit.features: {path} has no function {FUNCTION}(market); define it there.")
    function: OwnFeatures = found
    return function
