"""Text files, plain or gzip, as bytes from the first to the last; how far they are read; how they fail."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from scoring.fault import InputFault, ScoringFault


@dataclass(frozen=True, slots=True)
class TextFile:
    """A source that is one text file."""

    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)

    @property
    def patient_type(self) -> pa.DataType:
        """What a text file says of a patient is a text."""
        return pa.string()


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, Callable[[], float]]]:
    """The bytes of a file, unpacked where its name ends in ``.gz`` (or ``.GZ``), and what tells the share read.

    Raises:
        InputFault: the file cannot be had, or ends in the middle.
    """
    with reading(path), path.open("rb") as raw:
        size = max(1, path.stat().st_size)
        file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if path.name.lower().endswith(".gz") else raw
        yield file, lambda: min(1.0, raw.tell() / size)


@contextmanager
def reading(path: Path, where: str = "") -> Iterator[None]:
    """Whatever goes wrong with reading a file, as a fault that names the file and holds nothing of it."""
    try:
        yield
    except EOFError as error:
        raise InputFault(f"{path}: it ends in the middle; fetch or export it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputFault(f"{path}: its gzip data are damaged; fetch or export it again") from error
    except ScoringFault:
        raise
    except pa.ArrowCancelled as error:  # its own word for Ctrl-C
        raise KeyboardInterrupt from error
    except pa.ArrowException as error:
        raise InputFault(f"{path}: {where or 'it'} cannot be read; fetch or export it again") from error
    except OSError as error:
        if error.errno is not None:  # of the disk or the network, not of what stands in the file
            raise ScoringFault(f"{path}: {error.strerror}") from error
        raise InputFault(f"{path}: {where or 'it'} cannot be read; fetch or export it again") from error
