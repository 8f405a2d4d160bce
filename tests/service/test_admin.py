"""The admin port: the page and the API on it, who may read it, and the page in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from cli import main
from tests.browser import needs_chromium, page


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_service_itself_has_no_page_and_says_where_it_is(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["type"]) == (404, "urn:tregcast:problem:not_found")
    assert "admin port" in response.json()["problems"][0]["remedy"]
    assert "127.0.0.1" not in response.text


def test_the_api_is_the_same_on_both_ports(
    client: httpx.Client, admin: httpx.Client, record: dict[str, Any]
) -> None:
    for path in ("/readyz", "/livez", "/v1/model", "/v1/schema", "/v1/vocabulary", "/openapi.json", "/nothing"):
        ours, other = client.get(path), admin.get(path)
        assert ours.status_code == other.status_code
        if path != "/nothing":  # a problem document names its request
            assert ours.content == other.content
    assert client.post("/v1/predict", json=record).content == admin.post("/v1/predict", json=record).content


def test_the_page_allows_its_own_script_and_style_and_nothing_else(admin: httpx.Client) -> None:
    response = admin.get("/")
    policy = dict(
        part.strip().partition(" ")[::2] for part in response.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        [text] = re.findall(f"<{tag}>(.*?)</{tag}>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[rule] == f"'sha256-{digest}'"
    assert " style=" not in response.text
    assert not re.search(r"\son[a-z]+=", response.text)


def test_a_key_is_asked_for_only_where_callers_are_asked(
    admin: httpx.Client, launcher: Any, pack_folder: Path, tmp_path: Path
) -> None:
    assert 'id="key"' not in admin.get("/").text
    keys = tmp_path / "keys.db"
    settings = {"TREGCAST_AUTH": "keys", "TREGCAST_KEYS": str(keys), "TREGCAST_AUDIT": "off"}
    CliRunner().invoke(main, ["keys", "add", "--name", "a", "--scope", "predict", "--store", str(keys)])
    process, output = launcher.command(pack_folder, **settings)
    pages = launcher.await_line(process, output, "Tregcast's pages are on ").split()[4]
    page = httpx.get(pages, trust_env=False).text
    assert 'id="key" type="password"' in page
    assert "$TREGCAST_API_KEY" in page


def test_the_command_shows_the_key_of_the_environment(
    launcher: Any, pack_folder: Path, record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, sent = tmp_path / "keys.db", tmp_path / "record.json"
    sent.write_text(json.dumps(record), "utf-8")
    runner = CliRunner()
    key = runner.invoke(main, ["keys", "add", "--name", "a", "--scope", "predict", "--store", str(keys)]).stdout
    settings = {"TREGCAST_AUTH": "keys", "TREGCAST_KEYS": str(keys), "TREGCAST_AUDIT": "off"}
    process, output = launcher.command(pack_folder, **settings)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    refused = runner.invoke(main, ["predict", str(sent), "--url", url])
    assert refused.exit_code == 2
    assert "answered 401" in refused.stderr
    monkeypatch.setenv("TREGCAST_API_KEY", key.strip())
    assert runner.invoke(main, ["predict", str(sent), "--url", url]).stdout.startswith("Progression rate")
    monkeypatch.setenv("TREGCAST_API_KEY", "two words")
    odd = runner.invoke(main, ["predict", str(sent), "--url", url])
    assert odd.exit_code == 2
    assert "TREGCAST_API_KEY is no key" in odd.stderr
    assert "two words" not in odd.stderr


def test_an_admin_port_in_use_ends_it_with_1(launcher: Any, pack_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process, output = launcher.command(pack_folder, "--admin-port", port)
        assert process.wait(15) == 1
        assert f"cannot listen on 127.0.0.1 port {port}" in output.read_text("utf-8")


def test_an_admin_port_for_everybody_is_refused_where_nobody_is_asked(launcher: Any, pack_folder: Path) -> None:
    process, output = launcher.command(pack_folder, "--admin-host", "0.0.0.0")
    assert process.wait(15) == 2
    assert "TREGCAST_AUTH is off and '0.0.0.0' is not a loopback address" in output.read_text("utf-8")


@pytest.mark.slow
@needs_chromium
def test_in_a_browser_a_record_is_asked_about_with_a_key(launcher: Any, pack_folder: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.db"
    add = ["keys", "add", "--name", "a", "--scope", "predict", "--store", str(keys)]
    key = CliRunner().invoke(main, add).stdout.strip()
    settings = {"TREGCAST_AUTH": "keys", "TREGCAST_KEYS": str(keys), "TREGCAST_AUDIT": "off"}
    process, output = launcher.command(pack_folder, **settings)
    pages = launcher.await_line(process, output, "Tregcast's pages are on ").split()[4]
    status, press = "document.getElementById('status').textContent", "document.getElementById('ask').click()"
    with page(pages, tmp_path / "home") as opened:
        opened.run(press)
        opened.wait_for(f"{status}.startsWith('401')")
        opened.run(f"document.getElementById('key').value = '{key}'; {press}")
        opened.wait_for(f"{status}.startsWith('200')")
        answer = json.loads(opened.run("document.querySelector('#json pre').textContent"))
        assert answer["outcome"].startswith("prediction")
        read = opened.run("document.getElementById('answer').textContent")
        assert read.startswith(f"Progression rate {answer['progression_rate']:.2f} ALSFRS-R")
        assert all(caution["words"] in read for caution in answer["cautions"])
        assert all(each["words"].rpartition(":")[0] in read for each in answer["contributions"][:8])
        assert answer["statement"] in read
        assert opened.run("document.documentElement.outerHTML.includes('" + key + "')") is False
        assert opened.run("localStorage.length + sessionStorage.length + document.cookie.length") == 0
        assert not any("Content Security Policy" in said for said in opened.said)


@pytest.mark.slow
@needs_chromium
def test_in_a_browser_what_is_wrong_and_what_is_not_answered_can_be_read(
    admin: httpx.Client, tmp_path: Path
) -> None:
    read = "document.getElementById('answer').textContent"
    ask = "document.getElementById('record').value = JSON.stringify({}); document.getElementById('ask').click()"
    no_score = {"visits": [{"months_since_onset": {"value": 9, "unit": "mo"}, "measurements": {}}]}
    with page(str(admin.base_url), tmp_path / "home") as opened:
        opened.run(ask.format("{}"))
        opened.wait_for(f"{read}.startsWith('The record is rejected')")
        assert "visits is required; send it" in opened.run(read)
        opened.run(ask.format(json.dumps(no_score)))
        opened.wait_for(f"{read}.startsWith('No prediction')")
        assert "There is no ALSFRS-R total (alsfrs_r_total) in the record" in opened.run(read)


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_in_a_browser_the_page_fits_and_a_keyboard_reaches_all_of_it(
    admin: httpx.Client, tmp_path: Path, width: int
) -> None:
    """The page itself never scrolls sideways; what does is a named region that can be focused; no text is cut."""
    with page(str(admin.base_url), tmp_path / "home") as opened:
        opened.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
        )
        opened.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert opened.run("document.querySelectorAll('main').length") == 1
        assert opened.run("document.documentElement.scrollWidth <= innerWidth") is True
        cut = opened.run(
            "[...document.querySelectorAll('body *')].filter((each) => each.scrollWidth > each.clientWidth + 1"
            " && ['auto', 'scroll', 'hidden'].includes(getComputedStyle(each).overflowX)"
            " && each.tagName !== 'TEXTAREA'"
            " && !(each.tabIndex === 0 && each.getAttribute('role') === 'region' && each.ariaLabel))"
            ".map((each) => each.outerHTML.slice(0, 80))"
        )
        assert cut == []
        wide = opened.run(
            "[...document.querySelectorAll('.text')].filter((each) => each.scrollWidth > each.clientWidth).length"
        )
        assert wide == 0


@pytest.mark.slow
@needs_chromium
def test_in_a_browser_no_other_script_runs(admin: httpx.Client, tmp_path: Path) -> None:
    add = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
    with page(str(admin.base_url), tmp_path / "home") as opened:
        opened.run(f"{add}; 0")
        assert opened.run("typeof window.ran") == "undefined"
        assert any("Content Security Policy" in said for said in opened.said)
