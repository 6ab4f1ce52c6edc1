"""The plan of a run: each frame is done once, and again only for a reason."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novacli.batch.ledger.plan import RETRIES, PlanOptions, exit_code, fingerprint, plan
from novacli.batch.records import FATES, GONE, OWN_OUTPUT, RETRIABLE, WAITING, FileContent, FrameFile, FrameRecord
from novacli.config import load
from novacli.errors import DeniedError, OutputError
from novacli.records.params import Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity
from novacli.records.status import FAILED, SOLVED, UNSOLVED

SOURCE = Path(__file__).parents[4] / "src"
DONE = (SOLVED, UNSOLVED, FAILED)
CODES = {SOLVED: 0, UNSOLVED: 1, FAILED: 65, RETRIABLE: 73, WAITING: 75, OWN_OUTPUT: 0, GONE: 66}

NAMES = st.sampled_from([f"/n/{n}.fits" for n in range(6)])
SMALL = st.integers(0, 2)
OUTPUTS = st.frozensets(st.sampled_from(["wcs", "update", "new_fits:/out"]))
FRAMES = st.lists(
    st.builds(FrameFile, NAMES, SMALL, SMALL, st.sampled_from([None, "/n"])), unique_by=lambda frame: frame.path
)
FATE = st.sampled_from(FATES)
KNOWN = st.builds(
    FrameRecord, size=SMALL, mtime_ns=SMALL, sha256=st.sampled_from([None, "abc"]), params=st.sampled_from(["p", "q"]),
    outputs=OUTPUTS, fate=FATE, exit_code=st.just(0), tries=SMALL,
)  # fmt: skip
LEDGERS = st.dictionaries(NAMES, KNOWN)
WANTED = st.builds(
    PlanOptions, params=st.just("p"), outputs=OUTPUTS, force=st.booleans(),
    retry=st.sampled_from([frozenset[str](), *RETRIES.values()]),
)  # fmt: skip


def known(fate: str = SOLVED, **changes: object) -> FrameRecord:
    usual = FrameRecord(10, 20, "abc", "p", frozenset({"wcs"}), fate, CODES[fate], 1)
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


FRAME = FrameFile("/n/a.fits", 10, 20, "/n")
WCS = PlanOptions("p", frozenset({"wcs"}))


def is_done_again(row: FrameRecord, wanted: PlanOptions = WCS, frame: FrameFile = FRAME) -> bool:
    return len(plan([frame], {frame.path: row}, wanted).planned) == 1


class TestProperties:
    @settings(deadline=None)
    @given(FRAMES, LEDGERS, WANTED)
    def test_each_frame_is_planned_or_skipped(
        self, frames: list[FrameFile], ledger: dict[str, FrameRecord], wanted: PlanOptions
    ) -> None:
        made = plan(frames, ledger, wanted)
        assert sorted([t.frame.path for t in made.planned] + list(made.skipped)) == sorted(f.path for f in frames)
        assert {t.frame for t in made.planned} <= set(frames)
        assert all(t.record == ledger.get(t.frame.path) for t in made.planned)
        assert all(made.skipped[path] == ledger[path] for path in made.skipped)
        assert made.own_outputs == sum(row.fate == OWN_OUTPUT for row in made.skipped.values())

    @settings(deadline=None)
    @given(FRAMES, LEDGERS, WANTED, st.sampled_from([*DONE, OWN_OUTPUT]))
    def test_a_done_frame_is_not_done_again(
        self, frames: list[FrameFile], ledger: dict[str, FrameRecord], wanted: PlanOptions, fate: str
    ) -> None:
        """Once the ledger holds the outcomes, the same command without --force has nothing to do."""
        wanted = dataclasses.replace(wanted, force=False, retry=frozenset())
        for todo in plan(frames, ledger, wanted).planned:
            frame = todo.frame
            row = FrameRecord(frame.size, frame.mtime_ns, "d", wanted.params, wanted.outputs, fate, 0, 1)
            ledger[frame.path] = row
        assert plan(frames, ledger, wanted).planned == []

    @settings(deadline=None)
    @given(FRAMES, LEDGERS, WANTED)
    def test_force_only_adds_frames(
        self, frames: list[FrameFile], ledger: dict[str, FrameRecord], wanted: PlanOptions
    ) -> None:
        plain = {t.frame for t in plan(frames, ledger, dataclasses.replace(wanted, force=False)).planned}
        forced = plan(frames, ledger, dataclasses.replace(wanted, force=True))
        assert plain <= {t.frame for t in forced.planned} == set(frames)
        assert all(t.known_content is None for t in forced.planned)

    @settings(deadline=None)
    @given(FRAMES, LEDGERS, WANTED)
    def test_retriable_frames_come_last(
        self, frames: list[FrameFile], ledger: dict[str, FrameRecord], wanted: PlanOptions
    ) -> None:
        is_again = [t.record is not None and t.record.fate == RETRIABLE for t in plan(frames, ledger, wanted).planned]
        assert is_again == sorted(is_again)

    @settings(deadline=None)
    @given(FRAMES, LEDGERS, WANTED)
    def test_contents_are_compared_only_if_the_file_may_be_the_same(
        self, frames: list[FrameFile], ledger: dict[str, FrameRecord], wanted: PlanOptions
    ) -> None:
        for todo in plan(frames, ledger, wanted).planned:
            if todo.known_content is not None:
                assert todo.record is not None
                assert todo.known_content == todo.record.content
                assert todo.record.fate in DONE
                assert todo.record.size == todo.frame.size
                assert todo.record.mtime_ns != todo.frame.mtime_ns


class TestReasons:
    @pytest.mark.parametrize("fate", FATES)
    def test_only_unfinished_frames_are_done_again(self, fate: str) -> None:
        assert is_done_again(known(fate)) is (fate in (RETRIABLE, WAITING, GONE))

    @pytest.mark.parametrize("fate", DONE)
    def test_changes(self, fate: str) -> None:
        longer, touched = dataclasses.replace(FRAME, size=11), dataclasses.replace(FRAME, mtime_ns=21)
        (todo,) = plan([longer], {FRAME.path: known(fate)}, WCS).planned
        assert todo.known_content is None
        (todo,) = plan([touched], {FRAME.path: known(fate)}, WCS).planned
        assert todo.known_content == FileContent("abc")
        (todo,) = plan([touched], {FRAME.path: known(fate, sha256=None)}, WCS).planned
        assert todo.known_content is None

    def test_a_touched_frame_with_another_reason_is_not_compared(self) -> None:
        touched = dataclasses.replace(FRAME, mtime_ns=21)
        (todo,) = plan([touched], {FRAME.path: known(params="other")}, WCS).planned
        assert todo.known_content is None

    @pytest.mark.parametrize("fate", DONE)
    def test_other_parameters(self, fate: str) -> None:
        assert is_done_again(known(fate, params="other"))

    @pytest.mark.parametrize(
        ("word", "fates"), [("unsolved", {UNSOLVED}), ("failed", {FAILED}), ("all", {UNSOLVED, FAILED})]
    )
    def test_retries(self, word: str, fates: set[str]) -> None:
        wanted = PlanOptions("p", frozenset({"wcs"}), RETRIES[word])
        assert {fate for fate in (*DONE, OWN_OUTPUT) if is_done_again(known(fate), wanted)} == fates

    def test_a_retry_with_other_parameters_leaves_solved_frames(self) -> None:
        wanted = PlanOptions("other", frozenset({"wcs"}), RETRIES["unsolved"])
        assert is_done_again(known(UNSOLVED), wanted)
        assert not is_done_again(known(SOLVED), wanted)

    def test_further_outputs_of_solved_frames(self) -> None:
        more = PlanOptions("p", frozenset({"wcs", "corr"}))
        assert is_done_again(known(), more)
        assert not is_done_again(known(UNSOLVED, outputs=frozenset()), more)
        assert not is_done_again(known(), PlanOptions("p"))

    def test_only_new_files_may_be_outputs_of_nova(self) -> None:
        for frame in (FRAME, dataclasses.replace(FRAME, root=None)):
            (new,) = plan([frame], {}, WCS).planned
            assert new.may_be_own_output
        (forced,) = plan([FRAME], {}, dataclasses.replace(WCS, force=True)).planned
        assert not forced.may_be_own_output
        (waiting,) = plan([FRAME], {FRAME.path: known(WAITING)}, WCS).planned
        assert waiting.may_be_own_output
        (changed,) = plan([dataclasses.replace(FRAME, size=1)], {FRAME.path: known()}, WCS).planned
        assert not changed.may_be_own_output

    def test_an_unreadable_file_is_done_once_it_may_be_read(self, tmp_path: Path) -> None:
        """The ledger compares size and time, which permissions do not change."""
        frame = dataclasses.replace(FRAME, path=str(tmp_path / "a.fits"))
        denied = known(FAILED, exit_code=DeniedError.exit_code)
        assert not is_done_again(denied, frame=frame)
        (tmp_path / "a.fits").touch()
        assert is_done_again(denied, frame=frame)
        assert not is_done_again(known(FAILED), frame=frame)

    def test_a_read_only_frame_is_done_once_it_may_be_written(self) -> None:
        """Until then it is skipped."""
        denied = known(FAILED, exit_code=OutputError.exit_code)
        may = {True: dataclasses.replace(WCS, may_write=lambda frame: frame == FRAME)}
        may[False] = dataclasses.replace(WCS, may_write=lambda _frame: False)
        assert not is_done_again(denied, may[False])
        assert is_done_again(denied, may[True])
        assert not is_done_again(known(FAILED), may[True])
        assert not is_done_again(known(), may[True])

    @pytest.mark.parametrize("code", [DeniedError.exit_code, OutputError.exit_code])
    def test_a_frame_that_another_machine_denies_is_left_after_three_tries(self, code: int, tmp_path: Path) -> None:
        """A Dask worker may have fewer permissions than the caller; its frames must not cost time in every run."""
        path = tmp_path / "a.fits"
        path.touch()
        frame = dataclasses.replace(FRAME, path=str(path))
        for tries, is_tried in ((1, True), (2, True), (3, False)):
            denied = dataclasses.replace(known(FAILED, exit_code=code), tries=tries)
            assert is_done_again(denied, frame=frame) is is_tried
        assert is_done_again(denied, PlanOptions("p", retry=RETRIES["failed"]), frame)


class TestExitCode:
    @pytest.mark.parametrize(
        ("fates", "code"),
        [((), 0), ((SOLVED, OWN_OUTPUT, GONE), 0), ((SOLVED, UNSOLVED), 1), ((UNSOLVED, FAILED), 65),
         ((FAILED, RETRIABLE), 75), ((SOLVED, WAITING), 75)],
    )  # fmt: skip
    def test_the_exit_code_of_several_frames(self, fates: tuple[str, ...], code: int) -> None:
        assert exit_code([known(fate) for fate in fates]) == code


HOME = {"HOME": "/nonexistent"}
OTHERS = [
    SolveParams(scale=Scale(1, 2)), SolveParams(scale=Scale(1, 2, ScaleUnit.ARCSEC_PER_PIXEL)),
    SolveParams(position=Position(1, 2)), SolveParams(position=Position(1, 2, 3)), SolveParams(parity=Parity.POSITIVE),
    SolveParams(blind=True), SolveParams(fallback=False), SolveParams(downsample=2), SolveParams(tweak_order=0),
    SolveParams(tweak_order=2), SolveParams(crpix_center=True), SolveParams(max_stars=50), SolveParams(hdu=0),
    SolveParams(hdu=1), SolveParams(size=(10, 20)), SolveParams(invert=True), SolveParams(invert=False),
]  # fmt: skip


class TestFingerprint:
    def test_every_parameter_except_the_time_limit_counts(self, tmp_path: Path) -> None:
        plain = load(HOME)
        configs = [
            load({**HOME, "NOVA_INDEX": f"{tmp_path}/a"}),
            load({**HOME, "NOVA_ENGINE_CONFIG": f"{tmp_path}/a.cfg"}),
        ]
        found = [fingerprint(params, plain) for params in (SolveParams(), *OTHERS)]
        found += [fingerprint(SolveParams(), config) for config in configs]
        assert len(set(found)) == len(found)
        touched = {name for params in OTHERS for name, value in params.to_json().items()
                   if value != SolveParams().to_json()[name]}  # fmt: skip
        assert touched | {"timeout_s", "indexes", "engine_config"} == {f.name for f in dataclasses.fields(SolveParams)}
        assert fingerprint(SolveParams(timeout_s=5), plain) == fingerprint(SolveParams(), plain)

    def test_the_fingerprint_is_the_same_in_every_process_and_version(self) -> None:
        """A golden value: another one would have every frame of every ledger solved again."""
        program = (
            "from novacli.batch.ledger.plan import fingerprint; from novacli.config import load\n"
            "from novacli.records.params import Scale, SolveParams\n"
            "config = load({'HOME': '/nonexistent'})\n"
            "print(*(fingerprint(params, config) for params in (SolveParams(), SolveParams(scale=Scale(1.5, 2.0)))))"
        )
        seen = set()
        for seed in ("1", "2"):
            env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": seed}
            seen.add(subprocess.check_output([sys.executable, "-c", program], env=env, text=True).strip())
        assert seen == {"44136fa355b3678a fd588b9cef709c4b"}

    def test_index_files_count_by_their_absolute_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        here = fingerprint(SolveParams(), load({**HOME, "NOVA_INDEX": "idx"}))
        assert here == fingerprint(SolveParams(), load({**HOME, "NOVA_INDEX": f"{tmp_path}/idx"}))
        monkeypatch.chdir("/")
        assert here != fingerprint(SolveParams(), load({**HOME, "NOVA_INDEX": "idx"}))
