"""``tregcast vocabulary``."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known of each quantity.")
def vocabulary(as_json: bool) -> None:
    """List the quantities: name in a record, column in a table, unit, what it is."""
    from dataclasses import asdict

    from features.vocabulary import vocabulary as words

    if as_json:
        click.echo(json.dumps(asdict(words()), indent=2, ensure_ascii=False))
        return
    for quantity in words().quantities.values():
        click.echo(f"{quantity.name:22} {quantity.column:26} {quantity.unit:9} {quantity.label}")
    for category in words().categories.values():
        click.echo(f"{category.name:22} {category.name:26} {'':9} {category.label}: {', '.join(category.values)}")
    for qualifier in words().qualifiers.values():
        needing = " and ".join(q.name for q in words().quantities.values() if qualifier in q.qualifiers)
        values = ", ".join(qualifier.values)
        click.echo(f"{qualifier.name:22} {qualifier.name:26} {'':9} Required for {needing}: {values}")
