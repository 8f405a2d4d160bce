"""The page for people: one HTML document that asks for nothing else, with one script that calls the API."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape

from features.units import plain
from features.vocabulary import Quantity, vocabulary
from model.pack import Pack
from model.predictor import COVERAGE
from service.example import Example
from service.page_script import SCRIPT
from service.text import as_text

HOST = re.compile(r"[A-Za-z0-9.-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
HERE = "\N{OBJECT REPLACEMENT CHARACTER}"  # where the host stands in the page

STYLE = """
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; font: 1rem/1.55 system-ui, sans-serif; color: #1b1f24;
  background: #fff; }
h1 { margin: 0 0 .25rem; font-size: 1.7rem; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.2rem; }
.note { border-left: .3rem solid #b45309; background: #fef6e7; padding: .6rem 1rem; }
summary { cursor: pointer; color: #57606a; }
pre { overflow-x: auto; background: #f3f4f6; padding: .8rem 1rem; border-radius: .3rem; font-size: .85rem; }
code { font-family: ui-monospace, monospace; } td code, li code, p code { background: #f3f4f6; padding: 0 .2rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #e5e7eb; }
th { font-weight: 600; } tbody th { padding-top: 1rem; } .wide { overflow-x: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
textarea { box-sizing: border-box; width: 100%; font: .85rem/1.45 ui-monospace, monospace; padding: .6rem .8rem; }
input { font: inherit; width: 30rem; max-width: 100%; padding: .3rem .5rem; box-sizing: border-box; }
button { font: inherit; padding: .35rem 1.2rem; margin-right: .8rem; }
label { display: block; margin: .6rem 0 .2rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
[tabindex]:focus-visible, :focus-visible { outline: .15rem solid #1d4ed8; outline-offset: .1rem; }
@media (max-width: 40rem) { body { padding: 1rem; } dl { grid-template-columns: 1fr; } dt { margin-top: .4rem; } }
dt { color: #57606a; } dd { margin: 0; overflow-wrap: anywhere; } ul { margin: 0; padding-left: 1.1rem; }
"""


def _hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_hashed(STYLE)}; script-src {_hashed(SCRIPT)}; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

FIRST = ("simulated", "intended_use", "limits", "cohort", "outcome", "evaluation")  # of the card, if it has them
WIDTH = 100  # of a line of JSON
MOST_OPEN = 20  # entries that are not folded
ROUTES = (
    ("POST", "/v1/predict", "one record in, a prediction or an abstention out"),
    ("POST", "/v1/predict/batch", "up to 1,000 records in, an answer or the problems of each out"),
    ("POST", "/v1/whatif", "one record and other values in, estimates along them out"),
    ("GET", "/v1/model", "which pack answers: made from what, how good, its limits"),
    ("GET", "/v1/vocabulary", "every quantity with its units, ranges and codes"),
    ("GET", "/v1/schema", "the JSON schema of a record"),
    ("GET", "/openapi.json", "all of this for programs (OpenAPI 3.1)"),
    ("GET", "/livez", "the process is alive"),
    ("GET", "/readyz", "a verified pack is loaded and answers"),
)


class Page:
    """The page of one pack; only the host in its example differs between requests."""

    def __init__(self, pack: Pack, example: Example) -> None:
        self._open = _document(pack, example, asks_for_key=False).split(HERE)
        self._asking = _document(pack, example, asks_for_key=True).split(HERE)

    def html(self, host: str, *, asks_for_key: bool) -> bytes:
        """The page, as asked for at ``host``; an odd one is not repeated."""
        shown = escape(host) if HOST.fullmatch(host) else "127.0.0.1:3000"
        return shown.join(self._asking if asks_for_key else self._open).encode("utf-8")


def curl(host: str, record: Mapping[str, object], *, with_key: bool = False) -> str:
    """A command that sends a record; with a key from the environment, where one is asked for.

    >>> print(curl("127.0.0.1:3000", {"visits": []}))
    curl -sS http://127.0.0.1:3000/v1/predict -H 'content-type: application/json' --data-binary '{"visits": []}'
    """
    body = readable(record).replace("'", "\\u0027")
    key = ' -H "authorization: Bearer $TREGCAST_API_KEY"' if with_key else ""
    return f"curl -sS http://{host}/v1/predict -H 'content-type: application/json'{key} --data-binary '{body}'"


def readable(value: object, indent: str = "") -> str:
    """JSON with each part that fits on a line in one line.

    >>> print(readable({"crp": {"value": 8.2, "unit": "mg/L"}, "more": list(range(30))}).partition("more")[0])
    {
      "crp": {"value": 8.2, "unit": "mg/L"},
      "
    """
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= WIDTH or not isinstance(value, (Mapping, list)):
        return line
    inner = indent + "  "
    if isinstance(value, list):
        items = [inner + readable(item, inner) for item in value]
    else:
        items = [f"{inner}{json.dumps(key)}: {readable(item, inner)}" for key, item in value.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return "\n".join([opening, ",\n".join(items), indent + closing])


def _document(pack: Pack, example: Example, *, asks_for_key: bool) -> str:
    predictor = pack.predictor
    sections = [
        f"<h1>Tregcast</h1><p>How fast will a person with ALS progress over the next 12 months, how sure is that, "
        f"and why? A record with a history goes in; {escape(predictor.unit)}, an interval with {COVERAGE:.0%} "
        "coverage and the share of each measurement come out. Positive is decline.</p>",
        f'<p class="note">{escape(predictor.statement)}</p>',
        f"<p>Answers come from <b>{escape(predictor.pack.name)}</b>, pack <code>{pack.id[:12]}</code> (below).</p>",
        f"<h2>Routes</h2>{_routes()}",
        f"<h2>Try it</h2>{_form(example, asks_for_key)}"
        "<p>The same from a terminal</p>"
        f"{_scrolled('the command', curl(HERE, example.record, with_key=asks_for_key))}"
        "<p>The answer to the record above is JSON, which reads</p>"
        f'<pre class="text"><code>{escape(as_text(example.answer))}</code></pre>'
        f"<details><summary>as JSON</summary>{_scrolled('the answer as JSON', readable(example.answer))}</details>",
        f"<h2>The model</h2>{_model(pack)}",
        f"<h2>Vocabulary</h2><p>The unit of a measurement is required, and never guessed.</p>{_vocabulary(pack)}",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tregcast</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head><body><main>{''.join(sections)}</main><script>{SCRIPT}</script></body></html>\n"
    )


def _form(example: Example, asks_for_key: bool) -> str:
    key = (
        '<label for="key">API key with the scope predict; it is kept in this page only, until it is closed</label>'
        '<input id="key" type="password" autocomplete="off" spellcheck="false">'
    )
    return (
        '<label for="record">A record; change it as you like</label>'
        '<textarea id="record" rows="16" autocomplete="off" spellcheck="false">'
        f"{escape(readable(example.record))}</textarea>{key if asks_for_key else ''}"
        '<p><button id="ask" type="button">Ask</button><span id="status" role="status"></span></p>'
        '<pre id="answer" class="text" hidden></pre>'
        '<details id="json" hidden><summary>as JSON</summary>'
        '<pre tabindex="0" role="region" aria-label="the answer as JSON"></pre></details>'
    )


def _scrolled(label: str, text: str) -> str:
    """Lines that may be longer than the page, in a region that a keyboard reaches."""
    return f'<pre tabindex="0" role="region" aria-label="{escape(label)}"><code>{escape(text)}</code></pre>'


def _model(pack: Pack) -> str:
    ref = pack.predictor.pack
    labels = [f"{feature.label} ({feature.unit})" for feature in pack.predictor.matrix.features]
    card = {key: pack.card[key] for key in sorted(pack.card, key=_rank) if key != "statement"}
    return _value({"name": ref.name, "pack": pack.id, "made_by": ref.made_by, **card, "reads": labels})


def _rank(key: str) -> int:
    return FIRST.index(key) if key in FIRST else len(FIRST)


def _value(value: object) -> str:
    """A value of the card, whatever it is, as HTML."""
    if isinstance(value, Mapping):
        rows = "".join(f"<dt>{escape(_words(key))}</dt><dd>{_value(item)}</dd>" for key, item in value.items())
        return _folded(f"<dl>{rows}</dl>", len(value))
    if isinstance(value, (list, tuple)):
        return _folded(f"<ul>{''.join(f'<li>{_value(item)}</li>' for item in value)}</ul>", len(value))
    if isinstance(value, bool) or value is None:
        return {None: "not known", True: "yes", False: "no"}[value]
    return escape(plain(float(f"{value:.4g}")) if isinstance(value, float) else str(value))


def _folded(entries: str, count: int) -> str:
    return f"<details><summary>{count} entries</summary>{entries}</details>" if count > MOST_OPEN else entries


def _words(key: object) -> str:
    return str(key).replace("_", " ")


def _routes() -> str:
    rows = "".join(
        f"<tr><td>{method}</td><td><code>{_link(method, path)}</code></td><td>{escape(words)}</td></tr>"
        for method, path, words in ROUTES
    )
    return _wide("routes", f"<tbody>{rows}</tbody>")


def _wide(label: str, table: str) -> str:
    """A table that may be wider than the page, in a region that a keyboard reaches."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}"><table>{table}</table></div>'


def _link(method: str, path: str) -> str:
    return f'<a href="{escape(path.removeprefix("/"))}">{escape(path)}</a>' if method == "GET" else escape(path)


def _vocabulary(pack: Pack) -> str:
    words = vocabulary()
    used = {feature.quantity for feature in pack.predictor.matrix.features}
    head = "<tr><td>name</td><td>what it is</td><td>units</td><td>plausible</td><td>read by this model</td></tr>"
    rows: list[str] = []
    for group, label in words.groups.items():
        members = [quantity for quantity in words.quantities.values() if quantity.group == group]
        categories = [category for category in words.categories.values() if category.group == group]
        rows.append(f'<tr><th colspan="5">{escape(label)}</th></tr>')
        rows += [_quantity(quantity, quantity.name in used) for quantity in members]
        rows += [
            f"<tr><td><code>{escape(category.name)}</code></td><td>{escape(category.label)}</td>"
            f"<td>{escape(' | '.join(category.values))}</td><td></td>"
            f"<td>{'yes' if set(category.columns) & set(pack.predictor.matrix.columns) else ''}</td></tr>"
            for category in categories
        ]
    return _wide("vocabulary", f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody>")


def _quantity(quantity: Quantity, used: bool) -> str:
    low, high = quantity.plausible
    cells = (
        f"<code>{escape(quantity.name)}</code>",
        f'<span title="{escape(quantity.sentence)}">{escape(quantity.label)}</span>',
        escape(" | ".join(quantity.units)),
        escape(f"{plain(low)} to {plain(high)} {quantity.unit}"),
        "yes" if used else "",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
