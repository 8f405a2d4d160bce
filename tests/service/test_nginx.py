"""The example of nginx before the service, as it stands in `deploy/nginx`: a real nginx, on loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.certificates import NAME, Authority
from tests.servers import await_ready, free_port, running
from tests.service.conftest import ROOT, Launcher, stop
from tests.service.running import begin

REQUIRED = "TREGCAST_REQUIRE_NGINX"  # set in CI: there a missing nginx is a failure
EXAMPLE = ROOT / "deploy" / "nginx"


@dataclass(frozen=True)
class Proxy:
    """An nginx before a service, and what to trust of it."""

    port: int
    folder: Path
    authority: Authority
    service_log: Path

    def trust(self, caller: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.folder / "authority.pem")
        if caller is not None:
            context.load_cert_chain(*caller)
        return context

    @contextmanager
    def client(self, caller: tuple[Path, Path] | None = None) -> Iterator[httpx.Client]:
        """Asks by the service's name, which means this machine."""
        with httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}", verify=self.trust(caller), trust_env=False, timeout=30
        ) as client:
            client.headers["host"] = NAME
            client.event_hooks["request"].append(named)
            yield client

    @contextmanager
    def connection(self, name: str = NAME) -> Iterator[ssl.SSLSocket]:
        with (
            socket.create_connection(("127.0.0.1", self.port), 20) as plain,
            self.trust().wrap_socket(plain, server_hostname=name) as connection,
        ):
            yield connection

    def written(self) -> str:
        return "".join(path.read_text("utf-8") for path in self.folder.glob("*.log"))


def named(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = NAME


def program() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"nginx is not installed, and {REQUIRED} is set")
        pytest.skip("nginx is not installed (apt-get install nginx)")
    return found


@contextmanager
def proxied(folder: Path, url: str, service_log: Path, *, asks_for_certificates: bool = False) -> Iterator[Proxy]:
    """nginx with the example, of which only places are changed."""
    nginx, port, authority = program(), free_port(), Authority.new()
    authority.write(folder / "authority.pem")
    certificate, key = authority.issue(folder / "tls")
    changes = {
        r"listen \[::\]:443 ssl.*;": "",
        r"listen 443": f"listen 127.0.0.1:{port}",
        r"/etc/tregcast/tls/chain\.pem": str(certificate),
        r"/etc/tregcast/tls/key\.pem": str(key),
        r"/etc/tregcast/tls/callers\.pem": str(folder / "authority.pem"),
        r"/etc/nginx/tregcast-mtls\.conf": str(folder / "mtls.conf"),
        r"/var/log/nginx/": f"{folder}/",
        r"127\.0\.0\.1:3000": str(httpx.URL(url).netloc.decode()),
    }
    if asks_for_certificates:
        changes[r"# include"] = "include"
    for source, target in (("tregcast.conf", "site.conf"), ("tregcast-mtls.conf", "mtls.conf")):
        text = (EXAMPLE / source).read_text("utf-8")
        for old, new in changes.items():
            text = re.sub(old, new, text)
        (folder / target).write_text(text, "utf-8")
    places = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/main.log;\n"
        f"events {{}}\nhttp {{ access_log off; {places}\ninclude {folder}/site.conf; }}\n",
        "utf-8",
    )
    command = [nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "main.log"]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    with running(command, folder / "output", signal.SIGTERM) as process:
        await_ready(lambda: is_open(port), process, folder / "output")
        yield Proxy(port, folder, authority, service_log)


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def proxy(pack_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    program()
    launcher = Launcher(tmp_path_factory.mktemp("service"))
    try:
        service = begin(launcher, pack_folder, "--workers", "2", TREGCAST_ALLOWED_HOSTS=NAME)
        with proxied(tmp_path_factory.mktemp("nginx"), service.url, service.output) as found:
            yield found
    finally:
        for process in launcher.started:
            stop(process)


def problem(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    assert set(document) == {"type", "title", "status", "detail", "instance", "problems"}
    found: str = document["type"].rpartition(":")[2]
    return found


def test_answers_come_through_with_the_callers_ids(proxy: Proxy, record: dict[str, Any]) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    sent = {"x-request-id": f"ward7-{uuid.uuid4()}", "traceparent": parent}
    with proxy.client() as client:
        response = client.post("/v1/predict", json=record, headers=sent)
        assert response.status_code == 200
        assert response.headers["x-request-id"] == sent["x-request-id"]
        assert response.headers["traceparent"] == parent
        for path in ("/v1/model", "/openapi.json", "/readyz", "/livez"):
            assert client.get(path).status_code == 200
        own = client.get("/v1/model", headers={"x-request-id": "Jane Doe"}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", own)
    logged = proxy.service_log.read_text("utf-8")
    assert sent["x-request-id"] in logged
    assert own in logged
    assert parent.split("-")[1] in logged
    assert own in proxy.written()
    assert "Jane" not in logged + proxy.written()


def test_a_batch_of_many_and_a_key_come_through(proxy: Proxy, record: dict[str, Any]) -> None:
    body = {"records": [record] * 600}
    headers = {"idempotency-key": str(uuid.uuid4())}
    with proxy.client() as client:
        first, again = (client.post("/v1/predict/batch", json=body, headers=headers) for _ in range(2))
    assert first.json()["counts"]["rejected"] == 0
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


def test_what_is_too_large_is_refused_before_the_service(proxy: Proxy) -> None:
    with proxy.client() as client:
        for path, size in (("/v1/predict", 300_000), ("/v1/predict/batch", 6 << 20)):
            assert problem(client.post(path, content=b"x" * size)) == "too_large"
        assert client.get("/v1/model", headers={"x-long": "a" * 9000}).status_code == 400


def test_nothing_else_is_reached(proxy: Proxy) -> None:
    with proxy.client() as client:
        for path in ("/", "/docs", "/metrics", "/v1", "/static_content/x", "/.git/config"):
            assert problem(client.get(path)) == "not_found"
        assert client.get("/v1/nothing").json()["title"] == "Not found"  # the service's own


def test_other_names_are_not_answered(proxy: Proxy) -> None:
    with pytest.raises(ssl.SSLError), proxy.connection("rebound.example"):
        pass
    with proxy.connection() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n")
        assert connection.recv(4096).split()[1] == b"421"


def test_what_is_no_request_is_refused(proxy: Proxy) -> None:
    for sent in (b"rubbish\r\n\r\n", b"GET /livez HTTP/1.1\r\n\r\n"):
        with proxy.connection() as connection:
            connection.sendall(sent)
            whole = connection.recv(4096)
        assert whole.split()[1] == b"400"
        if sent.startswith(b"rubbish"):  # without a host it is nobody's, and answered by nginx alone
            assert b"urn:tregcast:problem:refused" in whole


@pytest.mark.slow
@pytest.mark.parametrize("body", [b"", b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{"])
def test_slow_clients_are_cut_off(proxy: Proxy, body: bytes) -> None:
    with proxy.connection() as connection:
        started = time.monotonic()
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: " + NAME.encode() + b"\r\n" + body)
        try:
            while connection.recv(4096):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        assert 4 < time.monotonic() - started < 12


def test_one_address_cannot_crowd_out_others(proxy: Proxy) -> None:
    with proxy.client() as client:
        found = [client.get("/livez") for _ in range(400)]
    refused = [response for response in found if response.status_code == 429]
    assert refused
    assert problem(refused[0]) == "too_many_requests"
    assert refused[0].headers["retry-after"] == "1"
    time.sleep(3)


def test_old_versions_of_tls_are_refused(proxy: Proxy) -> None:
    context = proxy.trust()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", proxy.port), 20) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain, server_hostname=NAME)


def test_without_the_service_it_says_when_to_come_back(tmp_path: Path) -> None:
    program()
    with proxied(tmp_path, f"http://127.0.0.1:{free_port()}", tmp_path / "none") as alone, alone.client() as client:
        response = client.get("/readyz")
    assert (response.status_code, problem(response)) == (502, "unavailable")
    assert response.headers["retry-after"] == "5"


def test_with_certificates_of_callers(proxy: Proxy, server: Any, tmp_path: Path) -> None:
    with proxied(tmp_path, server.url, tmp_path / "none", asks_for_certificates=True) as strict:
        good = strict.authority.issue(tmp_path / "good", "ward-7")
        other = Authority.new("Another authority").issue(tmp_path / "other", "ward-7")
        with strict.client(good) as client:
            response = client.get("/livez")
        assert json.loads(response.content)["type"].endswith("host_not_allowed")  # this service lacks the name
        for caller in (None, other):
            with strict.client(caller) as client:
                assert problem(client.get("/livez")) == "refused"
