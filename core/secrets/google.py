"""Google Secret Manager by its REST interface: the latest version of a secret is read, a new one added.

Source: Secret Manager REST v1, `projects.secrets.versions.access` and `projects.secrets.addVersion`; Compute Engine,
metadata server. Permission comes from the machine's own service account, so it works on Google Cloud alone. No payload
and no token ever stands in an error.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self, cast
from urllib.parse import quote

import google_crc32c
import httpx

from core.clock import monotonic
from core.errors import BadSettings, Unavailable
from core.secrets import NAMED_BY_USERS, OUR_OWN, published_name
from core.tls import trusted

API = "https://secretmanager.googleapis.com"
METADATA = "http://metadata.google.internal"
TOKEN_SECRET = published_name("dhan_access_token")
_PATIENCE = httpx.Timeout(5.0, connect=2.0)
_BEFORE_EXPIRY = timedelta(seconds=60)
_HERE = {"Metadata-Flavor": "Google"}


class SecretsUnavailable(Unavailable):
    """Google did not answer in a way that says anything: try again."""


class SecretManager:
    """The secrets of one project. Close it after use."""

    def __init__(self, project: str | None, *, api: str = "", metadata: str = "") -> None:
        override = os.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", "")  # gcloud's own variable
        host = os.environ.get("GCE_METADATA_HOST", "")  # the variable of Google's own libraries
        self._api = (api or override or API).rstrip("/")
        self._metadata = metadata or (f"http://{host}" if host else METADATA)
        self._project = project
        self._http = httpx.Client(timeout=_PATIENCE, trust_env=False, follow_redirects=False, verify=trusted())
        self._token = ""
        self._token_ends = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def read(self, secret: str) -> str | None:
        """The latest version; None where there is none. Raises BadSettings, SecretsUnavailable."""
        reply = self._call("GET", secret, "/versions/latest:access")
        if reply.status_code == 404:
            return None
        payload = cast("Mapping[str, Any]", self._body(reply, secret).get("payload"))
        try:
            data = base64.b64decode(payload["data"], validate=True)
            expected = int(payload["dataCrc32c"])
            text = data.decode()
        except (TypeError, KeyError, ValueError, binascii.Error):
            raise SecretsUnavailable(f"Google's answer for the secret {secret} cannot be read") from None
        if crc32c(data) != expected:
            raise SecretsUnavailable(f"the secret {secret} arrived damaged: its checksum is another one")
        return text.strip() or None

    def add(self, secret: str, text: str) -> None:
        """Store a new version. Raises BadSettings, SecretsUnavailable."""
        data = text.encode()
        payload = {"data": base64.b64encode(data).decode(), "dataCrc32c": str(crc32c(data))}
        reply = self._call("POST", secret, ":addVersion", {"payload": payload})
        if reply.status_code == 404:
            make = f"gcloud secrets create {secret} --replication-policy=automatic"
            raise BadSettings([f"SECRETS_BACKEND: there is no secret {secret}; make it: {make}"])
        if not self._body(reply, secret).get("name"):
            raise SecretsUnavailable(f"Google's answer for the secret {secret} cannot be read")

    def _call(self, method: str, secret: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._access_token()}"}
        url = f"{self._api}/v1/projects/{quote(self._project_id(), safe=':')}/secrets/{quote(secret)}{path}"
        try:
            return self._http.request(method, url, headers=headers, json=body)
        except httpx.HTTPError as error:
            raise SecretsUnavailable(f"Secret Manager cannot be reached ({type(error).__name__})") from None

    def _body(self, reply: httpx.Response, secret: str) -> Mapping[str, Any]:
        body = _json(reply)
        if reply.is_success:
            return body
        error = body.get("error")
        status = cast("Mapping[str, Any]", error).get("status", "") if isinstance(error, dict) else ""
        if reply.status_code in (401, 403):
            role = "secretVersionAdder" if reply.request.method == "POST" else "secretAccessor"
            words = f"this machine's service account may not use the secret {secret}"
            raise BadSettings([f"SECRETS_BACKEND: {words}: give it the role roles/secretmanager.{role}"])
        if reply.status_code == 400 and status == "FAILED_PRECONDITION":
            raise BadSettings(
                [f"SECRETS_BACKEND: the latest version of the secret {secret} is disabled or destroyed: add a new one"]
            )
        raise SecretsUnavailable(f"Secret Manager answered {reply.status_code} {status} for the secret {secret}")

    def _access_token(self) -> str:
        """The machine's own, asked for anew a minute before it ends."""
        if monotonic() >= self._token_ends:
            body = _json(self._ask_machine("instance/service-accounts/default/token"))
            token, lives = body.get("access_token"), body.get("expires_in")
            if not isinstance(token, str) or not isinstance(lives, int):
                raise SecretsUnavailable("Google's metadata server gave no token")
            self._token, self._token_ends = token, monotonic() + lives - _BEFORE_EXPIRY.total_seconds()
        return self._token

    def _project_id(self) -> str:
        if self._project is None:
            self._project = self._ask_machine("project/project-id").text.strip()
        return self._project

    def _ask_machine(self, path: str) -> httpx.Response:
        try:
            reply = self._http.get(f"{self._metadata}/computeMetadata/v1/{path}", headers=_HERE)
        except httpx.HTTPError:
            words = "Secret Manager needs Google's metadata server, which does not answer here"
            raise SecretsUnavailable(f"{words}: off Google Cloud, use SECRETS_BACKEND=env") from None
        if reply.headers.get("Metadata-Flavor") != "Google":  # somebody else's name server answered
            raise SecretsUnavailable("what answers as Google's metadata server is another one")
        if reply.status_code == 404:
            raise BadSettings(["SECRETS_BACKEND: this machine has no service account; give it one"])
        if not reply.is_success:
            raise SecretsUnavailable(f"Google's metadata server answered {reply.status_code}")
        return reply


def from_google(project: str | None, *, without: frozenset[str] | set[str]) -> dict[str, str]:
    """The settings that Secret Manager has, but for those that are given already. Raises as SecretManager.read."""
    wanted = [setting for setting in (*NAMED_BY_USERS, *OUR_OWN) if setting not in without]
    with SecretManager(project) as manager:
        found = {setting: manager.read(published_name(setting)) for setting in wanted}
    return {setting: text for setting, text in found.items() if text is not None}


def keep_token(project: str | None, token: str) -> None:
    """Store a new access token beside the other secrets. Raises as SecretManager.add."""
    with SecretManager(project) as manager:
        manager.add(TOKEN_SECRET, token)


def crc32c(data: bytes) -> int:
    return int(cast("Any", google_crc32c).value(data))


def _json(reply: httpx.Response) -> Mapping[str, Any]:
    try:
        body = reply.json()
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", body) if isinstance(body, dict) else {}
