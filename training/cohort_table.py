"""The table of a cohort file: its rows in the words of the vocabulary, before anything is made of them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from features.derive import SCALE_MAXIMUM, Scale
from features.headers import Headers, headers_of
from features.identifier import LIKE_NOTHING
from features.mapping import PROVENANCE, ColumnMapping, apply_mapping, read_mapping
from features.near_match import near_columns
from features.table import DATE, ONSET, PATIENT, SITE, TIME, Row, absent
from features.table_file import A_PIPE, CSV, PARQUET, has_ending, is_pipe, misnamed
from training.csv_file import read_layout
from training.parquet_file import read_parquet

if TYPE_CHECKING:
    import pandas as pd

SIMULATED = "simulated"
SEPARATOR = "; "  # between the sources of a cohort


class CohortError(ValueError):
    """A file that cannot be read as a cohort; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class CohortTable:
    """A file as it was read.

    ``lines`` holds the line of the file on which each row begins; None for Parquet, which has none.
    """

    path: Path
    mapping: ColumnMapping
    rows: Sequence[Row]
    columns: tuple[str, ...]
    headers: Headers
    scale: Scale
    lines: tuple[int, ...] | None

    @property
    def unused_headers(self) -> tuple[str, ...]:
        """Headers that no column is read from."""
        return self.headers.not_read

    @property
    def name(self) -> str:
        """What the mapping calls the cohort, else the name of its file."""
        return self.mapping.name or self.path.name

    @property
    def provenance(self) -> str:
        """What the mapping says and what the rows say: a mapping cannot make real patients of simulated ones."""
        return self._said or f"not stated, read from {self.path.name}"

    @property
    def states_provenance(self) -> bool:
        """Whether the mapping or a row says where the patients come from."""
        return bool(self._said)

    @property
    def _said(self) -> str:
        said = {str(row[PROVENANCE]) for row in self.rows if not absent(row.get(PROVENANCE))}
        return SEPARATOR.join([*([self.mapping.provenance] if self.mapping.provenance else []), *sorted(said)])


def is_simulated(provenance: str) -> bool:
    """Whether patients of it never lived. One source that says so is enough.

    >>> is_simulated("real: a clinic; simulated: reference cohort"), is_simulated("real: a clinic")
    (True, False)
    """
    return any(part.startswith(SIMULATED) for part in provenance.split(SEPARATOR))


def read_cohort_table(path: Path | str, mapping_path: Path | str | None = None) -> CohortTable:
    """Read the rows of a cohort file.

    Args:
        path: CSV (also ``.csv.gz``) or Parquet, one row a visit.
        mapping_path: a mapping TOML, where headers, units or codes are not the vocabulary's.

    Raises:
        CohortError, MappingError: the file or the mapping cannot be used.
    """
    import pandas as pd

    path = Path(path)
    mapping = ColumnMapping() if mapping_path is None else read_mapping(Path(mapping_path))
    frame, lines = _read(path, mapping)
    columns, unused = apply_mapping(mapping, {str(header): frame[header] for header in frame.columns})
    table = pd.DataFrame(columns)
    _require(table, path, unused)
    rows: list[Row] = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    return CohortTable(
        path=path,
        mapping=mapping,
        rows=rows,
        columns=tuple(str(column) for column in table.columns),
        headers=_headers(frame, unused, mapping),
        scale=mapping.scale or _scale(table),
        lines=lines if lines is not None and len(lines) == len(rows) else None,
    )


def _headers(frame: pd.DataFrame, unused: Sequence[str], mapping: ColumnMapping) -> Headers:
    left = set(unused)
    read = [str(header) for header in frame.columns if str(header) not in left]
    return headers_of(read, unused, [*(mapping.sources or read), *mapping.constants], mapping.ignored)


def _read(path: Path, mapping: ColumnMapping) -> tuple[pd.DataFrame, tuple[int, ...] | None]:
    """The file as it is: CSV or Parquet by its ending; patient and site identifiers are text."""
    if not has_ending(path.name, (*CSV, *PARQUET)):
        raise CohortError(f"{path}: not a .csv, .csv.gz or .parquet file")
    try:
        if path.exists():
            wrong = A_PIPE if is_pipe(path) else misnamed(path)
            if wrong is not None:
                raise ValueError(wrong)
        if has_ending(path.name, PARQUET):
            days = {header for column in (DATE, ONSET) for header in _headers_of(mapping, column)}
            identifiers = {header for column in (PATIENT, SITE) for header in _headers_of(mapping, column)}
            return read_parquet(path, identifiers, days, _used(mapping)), None
        layout = read_layout(path, _used(mapping))
        return _read_csv(path, mapping, layout.headers), layout.lines
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise CohortError(f"{path}: cannot be read: {error}") from error


def _read_csv(path: Path, mapping: ColumnMapping, headers: Sequence[str]) -> pd.DataFrame:
    """Identifiers and codes of the mapping stay text; what means nothing elsewhere may be an identifier."""
    import pandas as pd

    whose = _headers_of(mapping, PATIENT)
    coded = {header for source in mapping.sources.values() if source.values for header in source.headers}
    texts = {*whose, *_headers_of(mapping, SITE), *coded}
    nothing = {header: [""] if header in whose else ["", *LIKE_NOTHING] for header in headers}
    packed: Literal["gzip"] | None = "gzip" if path.name.lower().endswith(".gz") else None
    return pd.read_csv(
        path,
        dtype=dict.fromkeys(texts, "str"),
        low_memory=False,
        keep_default_na=False,
        na_values=nothing,
        compression=packed,
    )


def _headers_of(mapping: ColumnMapping, column: str) -> tuple[str, ...]:
    """Which headers hold a column; its own name where the mapping does not say."""
    return mapping.sources[column].headers if column in mapping.sources else (column,)


def _used(mapping: ColumnMapping) -> set[str]:
    return {*mapping.used, PROVENANCE}


def _require(table: pd.DataFrame, path: Path, unused: Sequence[object]) -> None:
    needed = {PATIENT, *(() if "visit_date" in table else (TIME,))}
    missing = sorted(needed - set(table.columns))
    if not missing:
        return
    near = [str(h) for h in unused if set(near_columns(str(h))) & set(missing)]
    hint = f" (is it {', '.join(near)}?)" if near else ""
    raise CohortError(
        f"{path}: no column {', '.join(missing)}{hint}; name columns as the vocabulary does, or give a mapping file"
    )


def _scale(table: pd.DataFrame) -> Scale:
    """The scale the table has: ALSFRS-R if there is any, else the older one."""
    for scale in SCALE_MAXIMUM:
        if scale in table and table[scale].notna().any():
            return "alsfrs_r_total" if scale == "alsfrs_r_total" else "alsfrs_total"
    return "alsfrs_r_total"
