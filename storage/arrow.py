"""pandas without pyarrow: a fifth of what an idle daemon would hold in memory, for strings that it does not have.

pandas loads pyarrow for its strings wherever it is installed. Here it is loaded by who reads a Parquet file, and then.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


class _Later(MetaPathFinder):
    """Says to pandas, as long as that is being loaded, that there is no pyarrow; to everybody else nothing."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Nothing: the next finder is asked. Raises ModuleNotFoundError, which pandas takes for an answer."""
        if fullname == "pyarrow" and "pandas" in sys.modules and not hasattr(sys.modules["pandas"], "DataFrame"):
            raise ModuleNotFoundError("pandas does without pyarrow here.", name=fullname)


def leave_to_later() -> None:
    """From now on pandas, if it is not loaded yet, is loaded without pyarrow."""
    if not any(isinstance(finder, _Later) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Later())
