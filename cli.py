"""The command ``tregcast``: the one place where the rooms are put together."""

import click


@click.group()
def main() -> None:
    """Predict how fast a person with ALS will progress, how sure that is, and why."""
