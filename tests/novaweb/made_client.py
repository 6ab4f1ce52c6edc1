"""A client that speaks the API of the web service to Django's test client."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.test import Client


@dataclass
class ApiClient:
    """A client of the API at one address; ``session`` is None before it logged in."""

    http: Client
    session: str | None = None

    def login(self, key: str) -> ApiClient:
        self.session = self.post("login", apikey=key)["session"]
        return self

    def post(self, endpoint: str, **fields: Any) -> Any:
        return json.loads(self.raw(endpoint, **fields).content)

    def raw(self, endpoint: str, **fields: Any) -> HttpResponse:
        if self.session is not None:
            fields.setdefault("session", self.session)
        return self.http.post(f"/api/{endpoint}", {"request-json": json.dumps(fields)})

    def upload(self, content: bytes = b"picture", name: str = "m42.jpg", **fields: Any) -> Any:
        file = io.BytesIO(content)
        file.name = name
        text = json.dumps({"session": self.session, **fields})
        return json.loads(self.http.post("/api/upload", {"request-json": text, "file": file}).content)

    def get(self, path: str) -> HttpResponse:
        return self.http.get(f"/{path}")
