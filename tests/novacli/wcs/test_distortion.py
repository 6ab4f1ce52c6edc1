"""The choice of a lens model: real distortion is found, and scatter is not taken for distortion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from novacli.wcs import distortion, lensmodels
from novacli.wcs.distortion import Pairs

PX = 800.0
NOISE_PX = 0.15


def pairs_of(
    count: int, seed: int, bend: dict[str, NDArray[np.float64]] | None = None, noise_px: float = NOISE_PX
) -> Pairs:
    """Return stars all over a 4 : 3 image, distorted by polynomials (``bend``: coefficients in pixels by axis)."""
    chance = np.random.default_rng(seed)
    u, v = chance.uniform(-0.8, 0.8, count), chance.uniform(-0.6, 0.6, count)
    monomials = lensmodels.monomials(u, v)
    target = np.stack([u, v]) + chance.normal(0, noise_px / PX, (2, count))
    for row, axis in enumerate("xy"):
        if bend is not None:
            target[row] += monomials @ bend[axis] / PX
    return Pairs(monomials, target, PX, lensmodels.grid_monomials(1280, 960))


def bent(x: dict[tuple[int, int], float], y: dict[tuple[int, int], float]) -> dict[str, NDArray[np.float64]]:
    return {a: np.array([d.get(p, 0.0) for p in lensmodels.POWERS]) for a, d in (("x", x), ("y", y))}


LENS = bent({(3, 0): 8, (1, 2): 8}, {(2, 1): 8, (0, 3): 8})
SHEAR = bent({(0, 1): 3}, {(1, 0): 3})
TILT = bent({(2, 0): 4, (1, 1): 1.5}, {(2, 0): -3})
CROOKED = bent({(3, 0): 7, (0, 3): 5, (2, 0): 4}, {(2, 1): -6, (3, 0): 5})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("bend", "order", "at_most"),
    [(None, 0, 6), (LENS, 3, 7), (SHEAR, 0, 6), (TILT, 2, 12), (CROOKED, 3, 20)],
    ids=["plain", "lens", "shear", "tilt", "crooked"],
)
def test_real_distortion_is_found(
    bend: dict[str, NDArray[np.float64]] | None, order: int, at_most: int, seed: int
) -> None:
    pairs = pairs_of(90, seed, bend)
    chosen = distortion.choose(distortion.fit_all(pairs, lensmodels.models()))
    assert chosen.terms is not None
    grid_u, grid_v = pairs.grid[:, 1], pairs.grid[:, 2]
    truth = np.stack([grid_u, grid_v])
    if bend is not None:
        truth = truth + np.stack([pairs.grid @ bend[a] for a in "xy"]) / PX
    off_px = np.hypot(*(chosen.terms @ pairs.grid.T - truth)) * PX
    assert np.sqrt(np.mean(off_px**2)) < 2 * NOISE_PX
    assert chosen.model.order <= max(order, 3)
    assert chosen.model.order >= order or order == 0
    assert chosen.model.parameters <= at_most + 6


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count", [6, 9, 15])
def test_few_stars_without_distortion_get_a_simple_model(count: int, seed: int) -> None:
    pairs = pairs_of(count, seed)
    chosen = distortion.choose(distortion.fit_all(pairs, lensmodels.models()))
    assert chosen.terms is not None
    off_px = np.hypot(*(chosen.terms @ pairs.grid.T - pairs.grid[:, 1:3].T)) * PX
    assert np.sqrt(np.mean(off_px**2)) < 6 * NOISE_PX


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(12, 40), st.sampled_from(lensmodels.models()))
def test_leave_one_out_residual_is_that_of_a_second_fit(seed: int, count: int, model: lensmodels.Model) -> None:
    """The residual by leverage equals that of a fit to all other stars."""
    pairs = pairs_of(count, seed, LENS, noise_px=0.05)
    fitted = distortion.fit(model, pairs)
    if fitted is None or fitted.terms is None or fitted.inliers.sum() * 2 <= model.parameters + 4:
        return
    star = int(np.flatnonzero(fitted.inliers)[0])
    others = fitted.inliers.copy()
    others[star] = False
    rows = model.design(pairs.monomials)
    design, wanted = rows[:, others].reshape(-1, model.parameters), pairs.target[:, others].ravel()
    coefficients, _, rank, _ = np.linalg.lstsq(design, wanted, rcond=1e-12)
    if rank < model.parameters:
        return
    predicted = rows[:, star] @ coefficients
    expected_px = float(np.hypot(*(predicted - pairs.target[:, star]))) * PX
    assert fitted.loo_residuals_px[star] == pytest.approx(expected_px, rel=1e-3, abs=1e-6)


def test_wrong_matches_are_rejected_as_outliers() -> None:
    pairs = pairs_of(60, 3, LENS)
    pairs.target[:, ::9] += np.random.default_rng(4).uniform(5, 25, (2, 7)) / PX
    chosen = distortion.choose(distortion.fit_all(pairs, lensmodels.models()))
    assert chosen.model.name == "radial"
    assert not chosen.inliers[::9].any()
    assert chosen.inliers.sum() >= 50


def test_a_line_of_stars_determines_few_models() -> None:
    """Stars on a line do not determine the mapping beside the line."""
    u = np.linspace(-0.8, 0.8, 30)
    monomials = lensmodels.monomials(u, np.zeros_like(u))
    pairs = Pairs(monomials, np.stack([u, 0 * u]), PX, lensmodels.grid_monomials(1280, 960))
    names = [f.model.name for f in distortion.fit_all(pairs, lensmodels.models())]
    assert "similarity" in names
    assert "affine" not in names


def test_two_stars_determine_no_model() -> None:
    assert distortion.fit_all(pairs_of(2, 1), lensmodels.models()) == []


def test_engine_solution_is_kept_if_no_model_predicts_better() -> None:
    """Its residuals are a fifth of those of any model."""
    pairs = pairs_of(80, 5, bent({(5, 0): 40, (0, 4): 30}, {(4, 1): 40}), noise_px=1.0)
    own = distortion.evaluate_engine_solution(2, np.random.default_rng(1).normal(0, 0.2 / PX, (2, 80)), pairs)
    assert own is not None
    chosen = distortion.choose([*distortion.fit_all(pairs, lensmodels.models()), own])
    assert chosen.terms is None
