"""A stand-in for what Google offers on its machines: the metadata server's token, and Secret Manager's REST calls.

Status codes, bodies and headers are those of the documents of Secret Manager REST v1 and of the metadata server.
"""

import base64
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import google_crc32c

PROJECT = "munshi-desk"
TOKEN = "ya29.canary-machine-token"


@dataclass
class PaperGoogle:
    """`secrets` holds the versions of each, oldest first; an empty string is one that was disabled."""

    secrets: dict[str, list[str]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    down: bool = False
    damaged: bool = False
    stranger: bool = False
    token_lives: int = 3599
    tokens_given: int = 0
    url: str = ""

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        if path.startswith("/computeMetadata/v1/"):
            return self._machine(path.removeprefix("/computeMetadata/v1/"), headers)
        if self.down:
            return 503, problem(503, "UNAVAILABLE", "The service is currently unavailable.")
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, problem(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        prefix = f"/v1/projects/{PROJECT}/secrets/"
        if not path.startswith(prefix):
            return 404, problem(404, "NOT_FOUND", "Project not found.")
        if method == "POST" and path.endswith(":addVersion"):
            return self._add(path.removeprefix(prefix).removesuffix(":addVersion"), body)
        return self._access(path.removeprefix(prefix).removesuffix("/versions/latest:access"))

    def _machine(self, path: str, headers: Any) -> tuple[int, Any]:
        if headers.get("Metadata-Flavor") != "Google":
            return 403, "Missing Metadata-Flavor:Google header."
        if path == "project/project-id":
            return 200, PROJECT
        self.tokens_given += 1
        return 200, {"access_token": TOKEN, "expires_in": self.token_lives, "token_type": "Bearer"}

    def _access(self, name: str) -> tuple[int, Any]:
        if name in self.refused:
            words = f"Permission 'secretmanager.versions.access' denied for resource 'projects/{PROJECT}/secrets/{name}"
            return 403, problem(403, "PERMISSION_DENIED", words)
        if not self.secrets.get(name):
            return 404, problem(404, "NOT_FOUND", f"Secret [projects/1/secrets/{name}] not found or has no versions.")
        versions = self.secrets[name]
        if not versions[-1]:
            return 400, problem(400, "FAILED_PRECONDITION", "Secret Version is in DISABLED state.")
        data = versions[-1].encode()
        crc = google_crc32c.value(data) + self.damaged
        payload = {"data": base64.b64encode(data).decode(), "dataCrc32c": str(crc)}
        return 200, {"name": f"projects/1/secrets/{name}/versions/{len(versions)}", "payload": payload}

    def _add(self, name: str, body: Any) -> tuple[int, Any]:
        if name in self.refused:
            return 403, problem(403, "PERMISSION_DENIED", "Permission 'secretmanager.versions.add' denied")
        if name not in self.secrets:
            return 404, problem(404, "NOT_FOUND", f"Secret [projects/1/secrets/{name}] not found.")
        data = base64.b64decode(body["payload"]["data"])
        if int(body["payload"]["dataCrc32c"]) != google_crc32c.value(data):
            return 400, problem(400, "INVALID_ARGUMENT", "The payload data does not match its checksum.")
        self.secrets[name].append(data.decode())
        version = f"projects/1/secrets/{name}/versions/{len(self.secrets[name])}"
        return 200, {"name": version, "state": "ENABLED", "clientSpecifiedPayloadChecksum": True}


def problem(code: int, status: str, words: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": words, "status": status}}


@contextmanager
def paper_google(**secrets: str) -> Generator[PaperGoogle]:
    """With these secrets, named with underscores."""
    google = PaperGoogle({name.replace("_", "-"): [text] for name, text in secrets.items()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = google.answer(self.command, self.path, self.headers, body)
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            if self.path.startswith("/computeMetadata") and not google.stranger:
                self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    google.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield google
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
