"""TLS that the service speaks itself: good certificates, new ones without a restart, and never bad ones."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.certificates import Authority, private_bytes
from tests.service.running import Running, begin

Pair = tuple[Path, Path]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new()


@pytest.fixture
def trust(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.write(tmp_path / "authority.pem"))


def begun(launcher: Any, pack: Path, pair: Pair, *options: str) -> Running:
    certificate, key = map(str, pair)
    return begin(launcher, pack, "--tls-certificate", certificate, "--tls-key", key, *options)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_answers_over_tls(
    launcher: Any, pack_folder: Path, authority: Authority, trust: ssl.SSLContext, record: Any, tmp_path: Path,
    workers: str,
) -> None:  # fmt: skip
    service = begun(launcher, pack_folder, authority.issue(tmp_path / "tls"), "--workers", workers)
    assert service.url.startswith("https://127.0.0.1:")
    assert all(url.startswith("http://127.0.0.1:") for url in service.admin)
    with httpx.Client(base_url=service.url, verify=trust, trust_env=False) as client:
        assert client.post("/v1/predict", json=record).json()["outcome"].startswith("prediction")
        assert client.post("/v1/predict", content=b"x" * 300_000).status_code == 415
        assert client.get("/livez").status_code == 200
    for url in service.admin:
        text = httpx.get(f"{url}/metrics", trust_env=False).text
        [expires] = re.findall(r"^tregcast_tls_certificate_expires_seconds (\S+)", text, re.MULTILINE)
        assert 8 < (float(expires) - time.time()) / 86_400 < 9
    assert absolute(service, trust, "https") == b"200"
    assert absolute(service, trust, "http") == b"400"
    service.process.terminate()
    assert service.process.wait(15) == 0
    assert '"level":"error"' not in service.output.read_text("utf-8")


def absolute(service: Running, trust: ssl.SSLContext, scheme: str) -> bytes:
    """The status of a request with a target in absolute form."""
    url = httpx.URL(service.url)
    sent = f"GET {scheme}://localhost/livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    with (
        socket.create_connection((url.host, url.port), 10) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(sent.encode())
        return connection.recv(100).split()[1]


def test_old_versions_and_what_is_no_tls_are_refused_without_a_cry(
    launcher: Any, pack_folder: Path, authority: Authority, tmp_path: Path
) -> None:
    service = begun(launcher, pack_folder, authority.issue(tmp_path / "tls"))
    url = httpx.URL(service.url)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((url.host, url.port), 10) as plain, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(plain)
    with socket.create_connection((url.host, url.port), 10) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP/")
    with socket.create_connection((url.host, url.port), 20) as plain:
        started = time.monotonic()
        assert plain.recv(1) == b""  # who never begins to shake hands
        assert 4 < time.monotonic() - started < 12
    assert '"level":"error"' not in service.output.read_text("utf-8")


def test_a_new_certificate_is_shown_without_a_restart_and_a_bad_one_never(
    launcher: Any, pack_folder: Path, authority: Authority, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    pair = authority.issue(tmp_path / "tls")
    service = begun(launcher, pack_folder, pair)
    first = shown(service, trust)
    new = authority.issue(tmp_path / "new")
    new[1].replace(pair[1])
    new[0].replace(pair[0])
    until = time.monotonic() + 30
    while shown(service, trust) == first and time.monotonic() < until:
        time.sleep(0.5)
    second = shown(service, trust)
    assert second != first
    authority.issue(tmp_path / "tls", ends=timedelta(hours=-1))
    while not service.log("certificate refused") and time.monotonic() < until + 30:
        time.sleep(0.5)
    assert shown(service, trust) == second
    assert len(service.log("certificate refused")) == len(service.log("certificate renewed")) == 1


def shown(service: Running, trust: ssl.SSLContext) -> bytes | None:
    """The certificate that a new connection gets."""
    url = httpx.URL(service.url)
    with (
        socket.create_connection((url.host, url.port), 10) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.getpeercert(binary_form=True)


def expired(authority: Authority, folder: Path) -> Pair:
    return authority.issue(folder, ends=timedelta(hours=-1))


def not_yet(authority: Authority, folder: Path) -> Pair:
    return authority.issue(folder, begins=timedelta(days=1))


def of_another_key(authority: Authority, folder: Path) -> Pair:
    certificate, key = authority.issue(folder)
    key.write_bytes(private_bytes(ec.generate_private_key(ec.SECP256R1())))
    return certificate, key


def encrypted(authority: Authority, folder: Path) -> Pair:
    certificate, key = authority.issue(folder)
    key.write_bytes(private_bytes(ec.generate_private_key(ec.SECP256R1()), b"secret"))
    return certificate, key


def open_to_others(authority: Authority, folder: Path) -> Pair:
    certificate, key = authority.issue(folder)
    key.chmod(0o644)
    return certificate, key


def no_pem(authority: Authority, folder: Path) -> Pair:
    certificate, key = authority.issue(folder)
    certificate.write_text("no certificate")
    return certificate, key


def no_file(authority: Authority, folder: Path) -> Pair:
    certificate, key = authority.issue(folder)
    certificate.unlink()
    return certificate, key


def swapped(authority: Authority, folder: Path) -> Pair:
    certificate, key = authority.issue(folder)
    return key, certificate


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (expired, "expired: it is valid from "),
        (not_yet, "is not valid yet: it is valid from "),
        (of_another_key, "is not the unencrypted private key, in PEM, of the certificate"),
        (encrypted, "is not the unencrypted private key, in PEM, of the certificate"),
        (open_to_others, "only its owner may write and no stranger may read; chmod 600 or 640 it"),
        (no_pem, "holds no certificate in PEM"),
        (no_file, "cannot be read: No such file or directory"),
        (swapped, "holds no certificate in PEM"),
    ],
)
def test_files_that_cannot_be_used_end_it(
    launcher: Any, pack_folder: Path, authority: Authority, tmp_path: Path,
    made: Callable[[Authority, Path], Pair], words: str,
) -> None:  # fmt: skip
    certificate, key = made(authority, tmp_path / "tls")
    process, output = launcher.command(
        pack_folder, TREGCAST_TLS_CERTIFICATE=str(certificate), TREGCAST_TLS_KEY=str(key)
    )
    assert process.wait(20) == 2
    assert words in output.read_text("utf-8")
    assert "Traceback" not in output.read_text("utf-8")


def test_one_without_the_other_is_refused(launcher: Any, pack_folder: Path) -> None:
    process, output = launcher.command(pack_folder, "--tls-certificate", "chain.pem")
    assert process.wait(20) == 2
    assert "TREGCAST_TLS_KEY is not set beside the other" in output.read_text("utf-8")


def test_under_bentoml_it_is_refused(launcher: Any, pack_folder: Path) -> None:
    settings = {"TREGCAST_TLS_CERTIFICATE": "a", "TREGCAST_TLS_KEY": "b", "TREGCAST_PACK": str(pack_folder)}
    process, output = launcher.bentoml("serve", "--port", "0", **settings)
    assert process.wait(20) == 2
    assert "has no effect under `bentoml serve`" in output.read_text("utf-8")


def test_a_pipelined_refusal_and_a_cut_body_over_tls(
    launcher: Any, pack_folder: Path, authority: Authority, trust: ssl.SSLContext, record: Any, tmp_path: Path
) -> None:
    service = begun(launcher, pack_folder, authority.issue(tmp_path / "tls"))
    url, body = httpx.URL(service.url), json.dumps(record).encode()
    head = b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    with (
        socket.create_connection((url.host, url.port), 10) as plain,
        trust.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=True) as connection,
    ):
        connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body + b"rubbish\r\n\r\n")
        whole = b""
        while chunk := connection.recv(65536):
            whole += chunk
    assert whole.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 400 " in whole
    assert '"level":"error"' not in service.output.read_text("utf-8")
