"""What work leaves behind in memory, handed back: an idle daemon holds its program and little more."""

import ctypes
import gc

M_ARENA_MAX = -8
"""malloc.h of glibc."""


def hold_together() -> None:
    """From now on all threads take memory from one heap, which has fewer holes that cannot be handed back."""
    _call("mallopt", M_ARENA_MAX, 1)


def settle_in() -> None:
    """What there is by now is the program, and stays: it is not searched for garbage any more, 50 ms each time."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def hand_back() -> None:
    """Returns to the system what is not used any more. The allocator keeps it: a fifth of all, after a session."""
    gc.collect()
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """A function of glibc's own; other C libraries lack it, and keep less."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
