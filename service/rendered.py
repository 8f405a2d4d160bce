"""What is rendered once of a pack, when it is loaded: its documents and its page."""

from __future__ import annotations

from dataclasses import dataclass

from model.pack import Pack
from service.documents import model_document
from service.example import make_examples
from service.json_response import json_bytes
from service.openapi import openapi_document
from service.page import Page


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the routes answer with, of one pack."""

    model: bytes
    openapi: bytes
    page: Page


def rendered(pack: Pack) -> Rendered:
    """The documents and the page of a pack; its examples are answered by the pack itself."""
    examples = make_examples(pack)
    return Rendered(
        model=json_bytes(model_document(pack)),
        openapi=json_bytes(openapi_document(pack, examples)),
        page=Page(pack, examples.brief),
    )
