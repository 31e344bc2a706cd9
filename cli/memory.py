"""What is said when memory is short."""

from __future__ import annotations

#: What the system's loader and libraries say if there is no memory for them.
_SHORTAGES = ("failed to map segment", "cannot allocate memory")


def is_shortage(error: BaseException) -> bool:
    """Whether an error means a lack of memory.

    Args:
        error: The error. A library that cannot be loaded for lack of memory raises ImportError or OSError.

    Examples:
        >>> is_shortage(ImportError("libtorch_cpu.so: failed to map segment from shared object"))
        True
        >>> is_shortage(ImportError("No module named 'torch'"))
        False
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, (ImportError, OSError)) and any(one in text for one in _SHORTAGES)


def limit_text() -> str:
    """The limit of memory that was set for this process, for the end of a message; empty if there is none."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return ""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return ""
    return f" (it is limited to {limit / 1e9:.1f} GB, see ulimit -v)"
