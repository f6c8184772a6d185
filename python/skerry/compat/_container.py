"""_container.py - an index and what a facade knows beside it, in one file.

A zip archive, stored and not packed: ``index`` is what skerry.Index.save writes, ``facade.json`` the
settings, and ``NAME.npy`` the arrays.
"""
from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zipfile
from typing import Any, BinaryIO, Optional, Tuple, Union

import numpy as np

import skerry

File = Union[str, "os.PathLike[str]", BinaryIO]


def write(file: File, index: Optional[skerry.Index], settings: dict[str, Any],
          arrays: dict[str, "np.ndarray[Any, Any]"]) -> None:
    """Writes the container; at a path, beside it and then into its place."""
    if not hasattr(file, "write"):
        path = os.fspath(file)  # type: ignore[arg-type]
        beside = f"{path}.part"
        try:
            with open(beside, "wb") as new:
                write(new, index, settings, arrays)
            os.replace(beside, path)
        finally:
            if os.path.exists(beside):
                os.remove(beside)
        return
    with zipfile.ZipFile(file, "w") as archive:  # type: ignore[arg-type]
        archive.writestr("facade.json", json.dumps(settings))
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            archive.writestr(f"{name}.npy", buffer.getvalue())
        if index is not None:
            with tempfile.TemporaryDirectory() as folder:
                image = os.path.join(folder, "index")
                index.save(image)
                archive.write(image, "index")


def settings_of(file: File) -> dict[str, Any]:
    """The settings alone. Errors: ValueError when it is no container."""
    try:
        with zipfile.ZipFile(file) as archive:  # type: ignore[arg-type]
            return json.loads(archive.read("facade.json"))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"not a file of skerry.compat: {error}") from error


def read(file: File, *, view: bool = False
         ) -> Tuple[Optional[skerry.Index], dict[str, Any], dict[str, "np.ndarray[Any, Any]"]]:
    """The index, the settings and the arrays. A viewed index is mapped from a copy of its own."""
    settings = settings_of(file)
    with zipfile.ZipFile(file) as archive:  # type: ignore[arg-type]
        arrays = {name[:-4]: np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
                  for name in archive.namelist() if name.endswith(".npy")}
        if "index" not in archive.namelist():
            return None, settings, arrays
        with tempfile.TemporaryDirectory() as folder:
            image = os.path.join(folder, "index")
            with archive.open("index") as source, open(image, "wb") as target:
                shutil.copyfileobj(source, target)
            index = skerry.Index.view(image) if view else skerry.Index.load(image)
    return index, settings, arrays
