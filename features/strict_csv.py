"""CSV, strictly: what RFC 4180 says of quotation marks and line ends, checked over the bytes as they come.

A stray mark makes one text of all that stands between it and the next one, rows and patients included, and every
reader of CSV takes that without a word. Here such a file is refused, with the line and the field. A mark within a
text that does not begin with one (``5" step``) is what it says for every reader, and stays.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

from features.csv_marks import are_rows, bare_returns, plainly_quoted

LONGEST_ROW_BYTES = 4 * 2**20
PIECE_BYTES = 2**18  # that are looked at together: what fits into a cache of the processor takes half the time
NOT_CLOSED = "a quotation mark is not closed"
LONGEST_HEADER = 80  # characters of it that a message has
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what a file that is no UTF-8 may begin with
AS_UTF8 = 'save it as UTF-8 (in a spreadsheet: "CSV UTF-8")'

_MARK, _COMMA, _FEED, _RETURN = b'",\n\r'
_QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
_PLAIN = re.compile(rb"[^,\r\n]*+")
_FIELD = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^",\r\n][^,\r\n]*+|)'
_ROW = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+\r?\n")
_BARE_RETURN = re.compile(rb"\r(?!\n)")


class CsvFault(ValueError):
    """Bytes that are no CSV: where, and what is wrong and to be done, without a cell of the file."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where + what)
        self.what = what


@dataclass(frozen=True, slots=True)
class _Row:
    """The fields of a row by their first and last bytes, marks included."""

    fields: tuple[tuple[int, int], ...]
    end: int  # the byte after its line feed


class _Open(Exception):  # no error: more bytes may come
    """A row that goes on beyond the bytes there are; the field that is open, and whether a mark opened it."""

    def __init__(self, field: int, begins: int, *, quoted: bool) -> None:
        super().__init__()
        self.field, self.begins, self.quoted = field, begins, quoted


class StrictCsv:
    """The check of one file, fed with its bytes from the first to the last.

    Bytes without a quotation mark cost a search for one, a count of lines and no more.

    >>> StrictCsv().feed(b'id,note\\n1,"fell\\n2,rose\\n3,5" step\\n')  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    features.strict_csv.CsvFault: line 4, field 2 (note): text stands after the mark that ends a quoted text; ...
    """

    def __init__(self, longest: int = LONGEST_ROW_BYTES, headers: Sequence[str] = ()) -> None:
        """Begin with a file's first byte or, where its headers are given, with the first byte after them."""
        self._longest = longest
        self._rest = b""  # of a row that has not ended
        self._lines = 0  # before it
        self._headers = tuple(headers)
        self._begun = bool(headers)

    def feed(self, block: bytes) -> None:
        """The next bytes.

        Raises:
            CsvFault: text after a closing mark, a text over lines that are rows, a carriage return within a line, a
                byte 0, a row without end; or the file is UTF-16.
        """
        for begins in range(0, len(block), PIECE_BYTES):
            self._feed(self._rest + block[begins : begins + PIECE_BYTES])

    def _feed(self, data: bytes) -> None:
        if not self._begun:
            if data.startswith(UTF_16_MARKS):
                raise CsvFault("", f"it is UTF-16 text; {AS_UTF8}")
            self._begun, data = True, data.removeprefix(codecs.BOM_UTF8)
        end = self._checked(data)
        if len(data) - end > self._longest:
            rule = f"a row is longer than {self._longest / 2**20:g} MiB"
            raise CsvFault(self._line(data, end), f": {rule}; look for a quotation mark that is not closed")
        self._lines += data.count(b"\n", 0, end)
        self._rest = data[end:]

    def finish(self) -> None:
        """There are no more bytes.

        Raises:
            CsvFault: a quotation mark is not closed; or as `feed` has it, of the last row.
        """
        data, self._rest = self._rest + b"\n", b""
        end = self._checked(data)
        try:
            if end < len(data):
                self._row(data, end)
        except _Open as text:
            named = self._named(text.field)
            raise CsvFault(self._line(data, text.begins), f"{named}: {NOT_CLOSED}; close or remove it") from None

    def _checked(self, data: bytes) -> int:
        """How many of these bytes are whole rows that are as they should be."""
        zero = data.find(0)
        if zero >= 0:
            raise CsvFault(self._line(data, zero), " holds a byte 0, which no text has; export the file again")
        begins = 0 if self._headers else self._header(data)
        if data.find(_MARK, begins) < 0:
            end = data.rfind(b"\n", begins) + 1 or begins
            self._require_line_feeds(data, begins, end)
            return end
        return plainly_quoted(data, begins) or self._row_by_row(data, begins)

    def _header(self, data: bytes) -> int:
        """Read the first row that is not blank; returns where the next one begins."""
        at = 0
        while at < len(data):
            try:
                row = self._row(data, at)
            except _Open:
                return at
            texts = [data[begins:end].strip(b'"').decode("utf-8", "replace") for begins, end in row.fields]
            at = row.end
            if any(text.strip() for text in texts):
                self._headers = tuple(texts)
                return at
        return at

    def _row_by_row(self, data: bytes, begins: int) -> int:
        """The same for rows with marks that are not all plain, one by one; those without marks are passed over."""
        while True:
            mark = data.find(_MARK, begins)
            row = data.rfind(b"\n", begins, len(data) if mark < 0 else mark) + 1 or begins
            self._require_line_feeds(data, begins, row)
            if mark < 0:
                return row
            found = _ROW.match(data, row)
            if found is None or self._may_hold_rows(data[row : found.end() - 1]):
                try:
                    exactly = self._row(data, row)
                except _Open:
                    return row
                self._require_texts(data, exactly)
                begins = exactly.end
            else:
                begins = found.end()

    def _row(self, data: bytes, begins: int) -> _Row:
        """The fields of one row.

        Raises:
            _Open: it does not end within these bytes.
            CsvFault: it is not as it should be.
        """
        fields: list[tuple[int, int]] = []
        at = begins
        while True:
            quoted = data[at : at + 1] == b'"'
            found = (_QUOTED if quoted else _PLAIN).match(data, at)
            after = b"" if found is None else data[found.end() : found.end() + 2]
            if found is None or after in (b"", b"\r"):
                raise _Open(len(fields), at, quoted=quoted)
            fields.append((at, found.end()))
            if after == b"\r\n" or after[0] == _FEED:
                return _Row(tuple(fields), found.end() + after.index(b"\n") + 1)
            if after[0] == _RETURN:
                raise self._bare_return(data, found.end())
            if after[0] != _COMMA:
                raise CsvFault(
                    self._line(data, found.end()),
                    f"{self._named(len(fields) - 1)}: text stands after the mark that ends a quoted text; put the "
                    "whole text between quotation marks and write each mark in it twice, or remove the stray mark",
                )
            at = found.end() + 1

    def _may_hold_rows(self, row: bytes) -> bool:
        """Whether a line of a row, but for its first, has as many commas as the header: cheap, and rarely so."""
        return any(line.count(b",") >= len(self._headers) - 1 for line in row.split(b"\n")[1:])

    def _require_texts(self, data: bytes, row: _Row) -> None:
        """No text of a row may go over lines that look like rows themselves."""
        for field, (begins, end) in enumerate(row.fields):
            if are_rows(data[begins:end], field, len(row.fields), len(self._headers)):
                first = self._lines + data.count(b"\n", 0, begins) + 1
                last = first + data.count(b"\n", begins, end)
                raise CsvFault(
                    f"lines {first} to {last}",
                    f"{self._named(field)}: between one quotation mark and the next stand lines with as many "
                    "fields as the header, which would be lost as rows; close or remove the stray mark, or take "
                    "the line breaks out of the text",
                )

    def _require_line_feeds(self, data: bytes, begins: int, end: int) -> None:
        if bare_returns(data, begins, end):
            found = _BARE_RETURN.search(data, begins, end)
            raise self._bare_return(data, found.start() if found is not None else begins)

    def _bare_return(self, data: bytes, at: int) -> CsvFault:
        if not self._headers:
            return CsvFault("", "its lines end with carriage returns alone; save it with line feeds")
        what = " holds a carriage return within it; end each line with a line feed"
        return CsvFault(self._line(data, at), what)

    def _line(self, data: bytes, at: int) -> str:
        number = self._lines + data.count(b"\n", 0, at) + 1
        return f"line {number}"

    def _named(self, field: int) -> str:
        named = f" ({self._headers[field][:LONGEST_HEADER]})" if field < len(self._headers) else ""
        return f", field {field + 1}{named}"


def require_strict(data: bytes) -> None:
    """Check a whole file.

    Raises:
        CsvFault: as `StrictCsv` has it.

    >>> require_strict(b'id,note\\r\\n1,"said ""no"", twice"\\r\\n2,5" step')
    """
    check = StrictCsv()
    check.feed(data)
    check.finish()


def faulty_line(lines: Sequence[bytes], headers: Sequence[str]) -> tuple[int, str] | None:
    """The position of the first line that is no whole row by itself, and what is wrong with it; None if all are.

    >>> faulty_line([b'1,"a"', b'2,"b" c'], ["id", "note"])  # doctest: +ELLIPSIS
    (1, ', field 2 (note): text stands ...
    """
    data = b"\n".join(lines) + b"\n"
    if _MARK not in data and 0 not in data and not bare_returns(data, 0, len(data)):
        return None
    for at, line in enumerate(lines):
        check = StrictCsv(headers=headers)
        try:
            check.feed(line + b"\n")
            check.finish()
        except CsvFault as fault:
            return at, fault.what
    return None
