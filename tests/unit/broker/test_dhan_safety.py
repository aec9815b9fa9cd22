"""https to Dhan: told to whom a certificate proves that it is Dhan, and to nobody else."""

import asyncio
import secrets
import socket
import ssl
import struct
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.broker.dhan.client import CallFailed, DhanClient
from core.tls import trusted


class SafeHost:
    """Speaks TLS as `localhost`. Answers each request with its first line."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.protocols: set[str | None] = set()
        self._talks: list[asyncio.Task[None] | None] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks.append(asyncio.current_task())
        self._writers.append(writer)
        self.protocols.add(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        while head := await _head(reader):
            line = head.split(b"\r\n")[0]
            self.lines.append(line)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(line), line))
        writer.close()

    def reset(self) -> None:
        """Break the connections, without a good-bye."""
        for writer in self._writers:
            at_once = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()
        self._writers.clear()

    async def hang_up(self) -> None:
        for talk in self._talks:
            if talk:
                await talk


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _certificate(folder: Path) -> Path:
    """Its own authority, of `localhost`, with its key, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"a host {secrets.token_hex(8)}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "host.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return _certificate(tmp_path)


@pytest.fixture
async def safe_host(certificate: Path) -> AsyncIterator[tuple[SafeHost, int]]:
    context, host = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), SafeHost()
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with await asyncio.start_server(host.serve, "127.0.0.1", ssl=context) as server:
        yield host, server.sockets[0].getsockname()[1]


async def test_a_host_that_proves_who_it_is_is_spoken_to_in_http_1_on_a_warm_line(
    client: DhanClient, certificate: Path, safe_host: tuple[SafeHost, int]
) -> None:
    trusted().load_verify_locations(certificate)
    host, port = safe_host
    for number in range(2):
        reply = await client.call("GET", f"https://localhost:{port}/v2/orders", query={"of": str(number)})
        assert reply.text == f"GET /v2/orders?of={number} HTTP/1.1"
    assert host.protocols == {"http/1.1"}
    await client.close()
    await host.hang_up()


async def test_a_line_that_breaks_while_it_is_idle_is_not_used_whenever_a_call_comes(
    client: DhanClient, certificate: Path, safe_host: tuple[SafeHost, int]
) -> None:
    trusted().load_verify_locations(certificate)
    host, port = safe_host
    url = f"https://localhost:{port}/v2/orders"
    await client.call("GET", url)
    for turns_of_the_loop in range(2, 12):
        host.reset()
        for _ in range(turns_of_the_loop):
            await asyncio.sleep(0)
        assert (await client.call("POST", url, body={})).is_success
    await client.close()
    await host.hang_up()


@pytest.mark.parametrize("is_known", [False, True], ids=["of an authority that nobody knows", "of another name"])
async def test_a_certificate_that_proves_nothing_is_told_nothing(
    client: DhanClient, certificate: Path, safe_host: tuple[SafeHost, int], *, is_known: bool
) -> None:
    if is_known:
        trusted().load_verify_locations(certificate)
    host, port = safe_host
    name = "127.0.0.1" if is_known else "localhost"
    with pytest.raises(CallFailed, match=r"no connection \(SSLCertVerificationError\)") as failure:
        await client.call("POST", f"https://{name}:{port}/v2/orders", query={"pin": "971358"}, body={})
    assert not failure.value.sent
    assert host.lines == []
