"""Those who use a stack over HTTP."""

from __future__ import annotations

import json
import secrets
import ssl
from pathlib import Path
from typing import Any

import httpx

MIND_MAP = json.loads(
    (Path(__file__).resolve().parents[2] / "examples" / "mind-map.json").read_text("utf-8")
)


class Person:
    """Somebody with an account and a session at one stack."""

    def __init__(self, url: str, verify: ssl.SSLContext | bool = True) -> None:
        # A proxy of the environment is not the way to this machine.
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False, verify=verify)
        self.account = {
            "login": f"walker-{secrets.token_hex(6)}@example.org",
            "password": secrets.token_urlsafe(18),
            "name": "小明 🐼",
            "invitation_code": "DEMO-A1B2C",
        }
        self.expect(201, "POST", "/api/auth/register", self.account)
        self.log_in()

    def log_in(self) -> None:
        self.expect(200, "POST", "/api/auth/login", self.account)

    def expect(self, status: int, method: str, path: str, body: object = None) -> Any:
        # A change of whatever is there.
        headers = {"If-Match": "*"} if method in {"PATCH", "PUT"} else None
        answer = self.http.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def save(self, title: str = MIND_MAP["title"]) -> str:
        """Saves the example mind map and returns its id."""
        saved = self.expect(201, "POST", "/api/diagrams", {**MIND_MAP, "title": title})
        return str(saved["id"])

    def finds(self, diagram_id: str) -> bool:
        """Whether the diagram is there, equal to what was saved, and on the list."""
        found = self.expect(200, "GET", f"/api/diagrams/{diagram_id}")
        listed = self.expect(200, "GET", "/api/diagrams")["items"]
        same = {name: found[name] for name in MIND_MAP if name != "title"} == {
            name: MIND_MAP[name] for name in MIND_MAP if name != "title"
        }
        return same and diagram_id in [one["id"] for one in listed]

    def titles(self) -> list[str]:
        """The titles of all diagrams, over all pages."""
        titles: list[str] = []
        cursor: str | None = None
        while True:
            query = f"?limit=100&cursor={cursor}" if cursor else "?limit=100"
            page = self.expect(200, "GET", f"/api/diagrams{query}")
            titles += [one["title"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return titles

    def close(self) -> None:
        self.http.close()
