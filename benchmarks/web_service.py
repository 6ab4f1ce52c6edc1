"""A night at the web service: many users upload frames at once; the same frames by ``nova batch`` for comparison.

The service, its worker and its clients run on this machine.  Each pair solves the same drawn frames by ``nova batch``
and through the service, with as many solves at a time; the order alternates.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

_START_S, _END_S = 60.0, 3600.0
_ANONYMOUS = "XXXXXXXX"


def draw(folder: Path, count: int) -> list[Path]:
    """Draw frames of different fields and return their paths."""
    frames = [folder / f"{seed}.fits" for seed in range(count)]
    for seed, frame in enumerate(frames):
        words = ["--random", "--seed", str(seed), "--size", "800x600", "--width", "10", str(frame)]
        subprocess.run([sys.executable, "-m", "novacli", "demo", *words], check=True, stdout=subprocess.DEVNULL)
    return frames


def batch_s(folder: Path, workers: int, home: Path) -> float:
    """Return how long ``nova batch`` takes for a folder, seconds."""
    began = time.monotonic()
    words = ["batch", "--no-learn", "--workers", str(workers), "--force", str(folder)]
    subprocess.run([sys.executable, "-m", "novacli", *words], env=environment(home), stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)  # fmt: skip
    return time.monotonic() - began


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return an environment with a home of its own."""
    return {**os.environ, "XDG_DATA_HOME": str(home), "XDG_STATE_HOME": str(home), "NOVA_LEARN": "no", **variables}


@contextlib.contextmanager
def service(home: Path, slots: int) -> Iterator[str]:
    """Run a service with one worker; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    env = environment(home, NOVAWEB_DATA=str(home / "web"), NOVAWEB_SITE_URL=url, NOVAWEB_MAX_QUEUED="100000")
    web = [sys.executable, "-m", "novaweb"]
    subprocess.run([*web, "migrate"], env=env, check=True, stdout=subprocess.DEVNULL)
    children = [
        subprocess.Popen([*web, *words], env=env, stderr=subprocess.DEVNULL)
        for words in (["serve", "--port", str(port)], ["work", "--slots", str(slots)])
    ]
    try:
        until_s = time.monotonic() + _START_S
        while time.monotonic() < until_s:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{url}/readyz", timeout=10).ok:
                    break
            time.sleep(0.1)
        yield url
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()


class User:
    """A user who uploads frames one after the other, and then waits for all of them."""

    def __init__(self, url: str, frames: list[Path]) -> None:
        self._url, self._frames = url, frames
        self.uploads_s: list[float] = []
        self.states: list[str] = []

    def run(self) -> None:
        """Upload the frames, and wait for the end of their jobs."""
        with requests.Session() as http:
            session = self._post(http, "login", {"apikey": _ANONYMOUS})["session"]
            jobs = [self._upload(http, session, frame) for frame in self._frames]
            self.states = [self._state(http, job) for job in jobs]

    def _upload(self, http: requests.Session, session: str, frame: Path) -> int:
        began = time.monotonic()
        with frame.open("rb") as stream:
            fields = {"session": session, "publicly_visible": "n"}
            sent = self._post(http, "upload", fields, files={"file": (frame.name, stream)})
        self.uploads_s.append(time.monotonic() - began)
        number: int = self._post(http, f"submissions/{sent['subid']}", {"session": session})["jobs"][0]
        return number

    def _state(self, http: requests.Session, job: int) -> str:
        until_s = time.monotonic() + _END_S
        while time.monotonic() < until_s:
            state = str(self._post(http, f"jobs/{job}", {})["status"])
            if state != "solving":
                return state
            time.sleep(0.2)
        return "lost"

    def _post(self, http: requests.Session, endpoint: str, fields: dict[str, Any], **options: Any) -> dict[str, Any]:
        data = {"request-json": json.dumps(fields)}
        answer = http.post(f"{self._url}/api/{endpoint}", data=data, timeout=120, **options)
        answer.raise_for_status()
        value: dict[str, Any] = answer.json()
        return value


def night(url: str, frames: list[Path], users: int) -> tuple[float, list[User]]:
    """Have users upload frames side by side; return how long all of it took, seconds, and the users."""
    crowd = [User(url, frames[number::users]) for number in range(users)]
    threads = [threading.Thread(target=user.run) for user in crowd]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began, crowd


def main() -> None:
    """Run the pairs and print a report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60, help="different frames that are drawn")
    parser.add_argument("--repeat", type=int, default=1, help="how often each frame is uploaded in the night")
    parser.add_argument("--users", type=int, default=20, help="users at a time")
    parser.add_argument("--slots", type=int, default=os.cpu_count(), help="solves at a time")
    parser.add_argument(
        "--pairs", type=int, default=3, help="pairs of nova batch and the service; 0 for the night alone"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home, folder = Path(scratch), Path(scratch) / "frames"
        folder.mkdir()
        frames = draw(folder, args.frames)
        ratios = []
        with service(home, args.slots) as url:
            night(url, frames[: args.slots], 1)  # everything is loaded
            for pair in range(args.pairs):
                if pair % 2 == 0:
                    alone_s = batch_s(folder, args.slots, home)
                    there_s, _ = night(url, frames, 1)
                else:
                    there_s, _ = night(url, frames, 1)
                    alone_s = batch_s(folder, args.slots, home)
                ratios.append(alone_s / there_s)
                print(f"pair {pair + 1}: nova batch {alone_s:.1f} s, service {there_s:.1f} s: {ratios[-1]:.2f}")
            seconds, crowd = night(url, frames * args.repeat, args.users)
        states = [state for user in crowd for state in user.states]
        uploads_s = sorted(second for user in crowd for second in user.uploads_s)
        if ratios:
            print(f"throughput through the service: {statistics.median(ratios):.2f} of nova batch (median)")
        print(f"{len(states)} uploads by {args.users} users in {seconds:.1f} s: {len(states) / seconds:.2f} a second")
        print(f"ends: { ({state: states.count(state) for state in sorted(set(states))}) }")
        print(f"an upload takes {statistics.median(uploads_s):.3f} s (median), {uploads_s[-1]:.3f} s (longest)")


if __name__ == "__main__":
    main()
