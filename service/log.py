"""What the service writes: one line of JSON an event, on stderr, of these fields and no others.

Nothing that a caller sent is among them but the ids of its request and trace, and these only where they have the
shape of ids that machines make (`service.request_ids`): no path as sent, no query, body or value, and no text of an
exception, which may quote one. Other libraries' events keep their place in the code and lose their words.
"""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

FIELDS = (
    *("method", "route", "status", "duration_ms", "request_id", "trace_id", "caller", "outcome", "repeated"),
    *("pack", "problem", "exception", "where", "worker", "exit", "pause_s", "known", "found"),
)
Field = str | int | float
_FIELDS = "tregcast_fields"
_LOGGER = logging.getLogger("service")


def write(level: int, event: str, **fields: Field) -> None:
    """Write an event; a field that is not in `FIELDS` is left out."""
    _LOGGER.log(level, event, extra={_FIELDS: fields})


def place(traceback: TracebackType | None) -> str:
    """Where an exception was raised, as ``file:line in function``; no value of any variable.

    >>> place(None)
    'unknown'
    """
    if traceback is None:
        return "unknown"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{Path(code.co_filename).name}:{traceback.tb_lineno} in {code.co_name}"


class JsonLine(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        own: Mapping[str, Field] | None = getattr(record, _FIELDS, None)
        line: dict[str, Field] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": str(record.msg) if own is not None else f"library {record.name}",
        }
        if own is not None:
            line.update({name: own[name] for name in FIELDS if name in own})
        else:
            line["where"] = f"{record.filename}:{record.lineno} in {record.funcName}"
            if record.exc_info and record.exc_info[0] is not None:
                line["exception"] = record.exc_info[0].__name__
        return json.dumps(line, separators=(",", ":"))


def configure() -> None:
    """Take over the logging of the process: every logger writes such lines, on stderr."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": JsonLine}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {
                "service": {"level": "INFO", "handlers": [], "propagate": True},
                "bentoml": {"level": "WARNING", "handlers": [], "propagate": True},
                "uvicorn": {"level": "WARNING", "handlers": [], "propagate": True},
                "uvicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
                "uvicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
            },
        }
    )
    logging.captureWarnings(True)
