"""The report that is served is that of the pack that answers, and a problem document where there is none."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from model.pack import Pack
from model.pack_report import LARGEST, is_report_of, read_report, report_path
from tests.service.folders import point

PATH = "/v1/model/report"


def page(pack: Pack, words: str = "") -> bytes:
    return f"<!doctype html><p>{words}</p><dt>pack (sha256)</dt><dd><code>{pack.id}</code></dd>".encode()


def until(url: str, **expected: object) -> httpx.Response:
    ended = time.monotonic() + 20
    while True:
        answer = httpx.get(url + PATH, timeout=10, trust_env=False)
        if all(getattr(answer, name) == value for name, value in expected.items()):
            return answer
        assert time.monotonic() < ended, answer.text[:300]
        time.sleep(0.05)


def test_without_one_the_remedy_is_told(client: httpx.Client) -> None:
    answer = client.get(PATH)
    document = answer.json()
    assert (answer.status_code, document["type"]) == (404, "urn:tregcast:problem:no_report")
    assert "`tregcast report`" in document["problems"][0]["remedy"]


def test_it_follows_the_pack_and_a_report_that_is_placed_later(
    launcher: Any, pack_folder: Path, other_pack_folder: Path, pack: Pack, other_pack: Pack, tmp_path: Path
) -> None:
    first, second = tmp_path / pack.id, tmp_path / other_pack.id
    shutil.copytree(pack_folder, first)
    shutil.copytree(other_pack_folder, second)
    report_path(first).write_bytes(page(pack))
    link = tmp_path / "champion"
    point(link, first)
    process, output = launcher.serve(link)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    answer = until(url, content=page(pack))
    assert answer.headers["content-type"].startswith("text/html")
    point(link, second)
    assert until(url, status_code=404).json()["type"] == "urn:tregcast:problem:no_report"
    report_path(second).write_bytes(page(pack))  # of another pack
    time.sleep(1)
    until(url, status_code=404)
    report_path(second).write_bytes(page(other_pack))
    until(url, content=page(other_pack))
    report_path(second).write_bytes(page(other_pack, "anew"))
    until(url, content=page(other_pack, "anew"))
    point(link, first)
    until(url, content=page(pack))


def test_what_the_page_may_do_is_show_itself(
    client: httpx.Client, launcher: Any, pack_folder: Path, pack: Pack, tmp_path: Path
) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(pack_folder, folder)
    report_path(folder).write_bytes(page(pack))
    process, output = launcher.serve(folder)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    policy = until(url, status_code=200).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "script-src" not in policy


@pytest.mark.parametrize("kind", ["too large", "a link", "a folder", "of another pack", "nothing"])
def test_what_is_no_report_of_the_pack_is_not_read(
    pack_folder: Path, pack: Pack, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "pack"
    target = report_path(folder)
    if kind == "too large":
        target.write_bytes(page(pack) + b" " * LARGEST)
    elif kind == "a link":
        (tmp_path / "elsewhere").write_bytes(page(pack))
        target.symlink_to(tmp_path / "elsewhere")
    elif kind == "a folder":
        target.mkdir()
    elif kind == "of another pack":
        target.write_bytes(page(pack).replace(pack.id.encode(), b"0" * 64))
    assert read_report(folder, pack.id) is None


def test_a_true_report_needs_nothing_that_the_policy_forbids() -> None:
    """The template of the report, which is where its markup comes from."""
    source = (Path(__file__).parents[2] / "training" / "report" / "report.html.j2").read_text("utf-8")
    assert not re.search(
        r"<(script|link|iframe|object|embed|form|base|video|audio)\b|\son[a-z]+=|@import|url\(", source
    )
    assert "<dt>pack (sha256)</dt><dd><code>{{ origin.pack_id }}</code></dd>" in source
    assert is_report_of("7f", source.replace("{{ origin.pack_id }}", "7f").encode())
