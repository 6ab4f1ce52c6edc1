"""An attempt that was started: a pause, and the memory and the core that the scheduler frees by it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from standin import make_attempt, make_terms

from solvehost.engine import engine_run
from solvehost.engine.attempts import PlannedAttempt
from solvehost.engine.engine_run import EngineRun, RunState
from solvehost.engine.scheduler import Scheduler

MEMORY_BYTES = 1000


class FakeEngine:
    """An engine that runs for ever and uses no CPU time; it counts when it is suspended and resumed."""

    has_begun, cpu_so_far_s, memory_bytes, cpu_s = True, 0.0, MEMORY_BYTES, 0.0

    def __init__(self) -> None:
        self.calls: list[str] = []

    def poll(self) -> bool:
        return False

    def suspend(self) -> None:
        self.calls.append("suspend")

    def resume(self) -> None:
        self.calls.append("resume")

    def kill(self) -> None:
        self.calls.append("kill")


def make_run(engine: FakeEngine, state: RunState = RunState.RUNNING) -> EngineRun:
    planned = PlannedAttempt(1, make_attempt("a", slice_s=1.0), ())
    return EngineRun(planned, engine, 0.0, state)  # type: ignore[arg-type]


def test_time_stands_still_while_a_run_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its turn goes on afterwards, and is neither longer nor another one."""
    clock = [10.0]
    monkeypatch.setattr(engine_run, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    run = make_run(engine := FakeEngine())
    with run.paused():
        assert run.state is RunState.SUSPENDED
        clock[0] = 50.0
        assert run.used_s == pytest.approx(1.0)  # a tenth of the time that it ran
    clock[0] = 51.0
    assert (run.state, run.turns, run.used_before_s) == (RunState.RUNNING, 0, 0.0)
    assert run.used_s == pytest.approx(1.1)
    assert engine.calls == ["suspend", "resume"]


def test_a_run_that_ends_while_it_is_paused_is_not_resumed() -> None:
    run = make_run(engine := FakeEngine())
    with run.paused():
        run.end("solved")
    assert (run.state, run.outcome) == (RunState.ENDED, "solved")
    assert engine.calls == ["suspend", "kill"]


@pytest.mark.parametrize(
    ("states", "paused", "left"),
    [
        ([RunState.RUNNING], [True], 1),
        ([RunState.SUSPENDED, RunState.RUNNING], [False, True], 2),
        ([RunState.ENDED], [False], 0),
    ],
)
def test_an_extra_engine_may_use_what_suspended_ones_leave(
    tmp_path: Path, states: list[RunState], paused: list[bool], left: int
) -> None:
    """The race has one core; the numbers are those of engines that keep their memory."""
    terms = make_terms(tmp_path)
    scheduler = make_scheduler(terms, [make_run(FakeEngine(), state) for state in states])
    with scheduler.free_core(scheduler.runs[0]) as memory_bytes:
        engines: list[Any] = [run.engine for run in scheduler.runs]
        assert [engine.calls == ["suspend"] for engine in engines] == paused
        assert memory_bytes == terms.limits.data_bytes - left * MEMORY_BYTES
    assert [run.state for run in scheduler.runs] == states


def make_scheduler(terms: Any, runs: list[EngineRun]) -> Scheduler:
    token: Any = SimpleNamespace(release=lambda: None)
    nothing: Any = None
    scheduler = Scheduler(terms, nothing, token, nothing)
    scheduler.runs = runs
    return scheduler
