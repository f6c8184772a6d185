"""_errors.py - what went wrong, and whose move is it?

Every exception is a ``skerry.Error`` and bears the name that its code has in C++ and C. Whatever
raised it changed nothing.
"""


class Error(Exception):
    """Anything that Skerry refuses. ``code`` is the contract's name of it, such as "not_found"."""

    code = "error"

    # KeyError and OSError would put quotes and numbers around it.
    __str__ = Exception.__str__


# The caller's move.


class InvalidArgument(Error, ValueError):
    """A value out of its range or of the wrong kind; the message names expected and given."""

    code = "invalid_argument"


class NotFound(Error, KeyError):
    """No such key, collection, file or folder."""

    code = "not_found"


class AlreadyExists(Error):
    """``add`` of a key that is present, ``create`` of a collection that is there."""

    code = "already_exists"


class Busy(Error):
    """Somebody else holds what the call needs: another process, or an open handle."""

    code = "busy"


class Closed(Error):
    """The handle was closed, its collection was dropped, or it belongs to the parent of a fork."""

    code = "closed"


class ReadOnly(Error):
    """A write through a handle that only reads."""

    code = "read_only"


class Cancelled(Error):
    """The call was stopped: ``progress`` answered False, or its timeout is over."""

    code = "cancelled"


# The world's move. Reads go on.


class OutOfMemory(Error, MemoryError):
    """There is no memory for it."""

    code = "out_of_memory"


class StorageFull(Error, OSError):
    """There is no room on the disk, or no address space for the store."""

    code = "storage_full"


class IoError(Error, OSError):
    """The operating system refused; ``errno`` has its reason."""

    code = "io_error"


class Corruption(Error):
    """A file of Skerry's is damaged."""

    code = "corruption"


class Incompatible(Error):
    """A file that is not Skerry's, or was made by a newer version, or other options than asked."""

    code = "incompatible"


ALL = (InvalidArgument, NotFound, AlreadyExists, Busy, Closed, ReadOnly, Cancelled, OutOfMemory,
       StorageFull, IoError, Corruption, Incompatible)
_BY_CODE = {error.code: error for error in ALL}


def class_of(code: str) -> type[Error]:
    """The exception for a code of the library."""
    return _BY_CODE[code]
