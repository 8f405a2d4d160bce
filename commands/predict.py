"""``tregcast predict``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO

import click

from commands.options import DEFAULT_MODEL, Fault, tracking_uri_option
from commands.registry import pack_folder

KEY = "TREGCAST_API_KEY"  # never an option, which others on the machine could read in the list of processes


@click.command()
@click.argument("record_file", metavar="RECORD", type=click.File("rb"))
@click.option("--pack", default=DEFAULT_MODEL, show_default=True, help="A pack folder, or models:/NAME@ALIAS.")
@click.option("--url", help="Ask a running service instead, e.g. http://127.0.0.1:3000.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@tracking_uri_option
def predict(record_file: IO[bytes], pack: str, url: str | None, as_json: bool, tracking_uri: str | None) -> None:
    """Answer one RECORD (a JSON file, or - for standard input) so that a person can read it.

    A service that asks who calls is shown the key in the environment variable TREGCAST_API_KEY.
    """
    from service.text import as_text

    body = record_file.read()
    answer = _asked(url, body, os.environ.get(KEY)) if url else _answered(pack_folder(pack, tracking_uri), body)
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else as_text(answer))


def _answered(folder: Path, body: bytes) -> dict[str, object]:
    from datetime import UTC, datetime

    from features.parse import parse_record
    from features.problem import Rejected
    from features.strict_json import loads
    from features.today import latest_date
    from model.answer import render
    from model.pack import Refused, load_pack

    try:
        record = parse_record(loads(body), today=latest_date(datetime.now(UTC)))
        return render(load_pack(folder).predictor.predict(record))
    except Rejected as error:
        raise Fault("\n".join(["the record is rejected:", *(f"  - {p}" for p in error.problems)])) from error
    except Refused as error:
        raise Fault(str(error)) from error


def _asked(url: str, body: bytes, key: str | None) -> dict[str, object]:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    if not url.startswith(("http://", "https://")):
        raise Fault(f"{url}: not an http or https address")
    request = Request(f"{url.rstrip('/')}/v1/predict", body, {"Content-Type": "application/json"})
    if key is not None:
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise Fault(f"{KEY} is no key: it is empty, or holds spaces or letters that no key has; set it anew")
        request.add_unredirected_header("Authorization", f"Bearer {key}")  # to this service and to no other
    try:
        with urlopen(request, timeout=10) as reply:
            found: dict[str, object] = json.load(reply)
            return found
    except HTTPError as error:
        raise Fault("\n".join([f"the service answered {error.code}:", *_problems(error.read())])) from error
    except (OSError, HTTPException, ValueError) as error:
        raise Fault(f"{url}: no answer of a Tregcast service: {error}") from error


def _problems(body: bytes) -> list[str]:
    """What a problem document says; any other body is shown as it is."""
    try:
        document = json.loads(body)
        return [document["detail"], *(f"  - {problem['message']}" for problem in document["problems"])]
    except (ValueError, KeyError, TypeError):
        return [body[:500].decode("utf-8", "replace")]
