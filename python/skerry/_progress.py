"""_progress.py - who wants to see how far a long call is?"""
from __future__ import annotations

from typing import Any, Callable, Optional


def as_function(progress: Any) -> Optional[Callable[[int, int], Optional[bool]]]:
    """``progress`` as a function of what is done and the total (0: not known).

    A callable is itself. An object with ``update(n)``, such as a tqdm bar, is told of what is new;
    its ``total`` is set when it has none.
    """
    update: Any = getattr(progress, "update", None)
    if progress is None or update is None:
        function: Optional[Callable[[int, int], Optional[bool]]] = progress
        return function
    seen = 0

    def forward(done: int, total: int) -> None:
        nonlocal seen
        if total and getattr(progress, "total", total) is None:
            progress.total = total
        if done > seen:
            update(done - seen)
            seen = done

    return forward
