"""The images to compare programs on: named files, a corpus with a manifest, drawn fields, or scenes."""

from __future__ import annotations

import json
import math
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import measure
from truths import Truth

#: Widths of drawn fields, degrees; their logarithm is uniformly distributed.
DRAWN_WIDTHS_DEG = (1.0, 90.0)
_SIZES = ("800x600", "1024x768", "1280x960", "1600x1200")
#: Range of the difference from the usual limiting magnitude, so that there are sparse and crowded fields.
_DEPTH_OFFSETS_MAG = (-1.5, 1.2)
#: Largest distortion in percent for each 10 degrees of width, since wide lenses distort more.
_DISTORTION_PERCENT_PER_10_DEG = 0.7
_DRAWING_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Case:
    """An image, the truth about it if it is known, and a description for reports (``about``).

    ``source`` is where it comes from: images of one source resemble one another.
    """

    name: str
    path: Path
    truth: Truth | None
    about: str = ""
    source: str = ""


def from_paths(paths: Sequence[Path]) -> list[Case]:
    """Return named images, with the truth files that ``nova demo`` or ``scenes.py`` wrote beside them."""
    return [Case(path.name, path.absolute(), _truth_beside(path)) for path in paths]


def _truth_beside(path: Path) -> Truth | None:
    try:
        return Truth.of_drawing(json.loads(path.with_name(path.name + ".truth.json").read_text()))
    except FileNotFoundError:
        return None


def from_corpus(folder: Path, only: str = "") -> list[Case]:
    """Return the images of ``folder/manifest.json`` that should or may solve and whose names contain ``only``.

    The manifest is a list of objects with ``name`` and ``expect`` (solved, any, fail), and ``width``, ``ra``, ``dec``,
    ``pixscale_arcsec`` and ``parity`` where they are known.
    """
    rows = json.loads((folder / "manifest.json").read_text())
    wanted = [r for r in rows if r["expect"] != "fail" and only in r["name"]]
    return [
        Case(
            r["name"],
            folder.absolute() / r["name"],
            Truth.of_manifest(r),
            source=_source(r["name"], r.get("source", "")),
        )
        for r in wanted
    ]


def _source(name: str, stated: str) -> str:
    """Return the origin of an image: the word before a colon, of the original if the image was derived from another.

    Without such a word, it is the beginning of the file's name.
    """
    found = re.search(r"original: ([^:]+):", stated) or re.match(r"([^:\s]+):", stated)
    return found[1] if found else re.split(r"[_.]", name)[0]


def drawn(
    nova: Sequence[str],
    folder: Path,
    count: int,
    seed: int,
    *,
    states_pointing: bool = False,
    widths_deg: tuple[float, float] = DRAWN_WIDTHS_DEG,
) -> Iterator[Case]:
    """Draw fields all over the sky into ``folder``, each when it is needed; equal seeds give equal fields.

    Their headers state focal length and pixel size; the pointing, too, where ``states_pointing``.  The logarithm of
    their widths is uniformly distributed over ``widths_deg``.

    Raises
    ------
    RuntimeError
        Where one cannot be drawn.
    """
    for number in range(1, count + 1):
        chance = random.Random(f"{seed} {number}")
        target = folder.absolute() / f"drawn-{seed}-{number:03d}.fits"
        options = [*_drawing_options(chance, widths_deg), *(["--pointing"] if states_pointing else [])]
        made = measure.run([*nova, "demo", "--overwrite", *options, target], _DRAWING_TIMEOUT_S)
        if made.exit_status != 0:
            raise RuntimeError(f"{target.name} could not be drawn: {made.stderr.strip()}")
        yield Case(target.name, target, _truth_beside(target), _about(options))


def _drawing_options(chance: random.Random, widths_deg: tuple[float, float]) -> list[str]:
    from novacli.demo.scene import Scene

    ra_deg, dec_deg = 360 * chance.random(), math.degrees(math.asin(2 * chance.random() - 1))
    low, high = widths_deg
    width_deg = low * (high / low) ** chance.random()
    size = chance.choice(_SIZES)
    width_px, _, height_px = size.partition("x")
    usual = Scene(ra_deg, dec_deg, width_deg, int(width_px), int(height_px)).depth_mag
    most = _DISTORTION_PERCENT_PER_10_DEG * width_deg / 10
    numbers = {
        "--ra": ra_deg,
        "--dec": dec_deg,
        "--width": width_deg,
        "--rotate": 360 * chance.random(),
        "--limit": usual + chance.uniform(*_DEPTH_OFFSETS_MAG),
        "--distortion": chance.uniform(-most, most),
    }
    mirror = ["--mirror"] if chance.random() < 0.5 else []
    options = [f"{name}={value:.6f}" for name, value in numbers.items()]
    return [*options, f"--size={size}", f"--seed={chance.randrange(2**31)}", *mirror]


def scenes(folder: Path, count: int, seed: int, first: int = 1) -> Iterator[Case]:
    """Draw scenes (``scenes.py``) into ``folder``, each when it is needed; equal seeds give equal scenes.

    A scene that is already there is used again.
    Each is drawn by another process, since large programs disturb measurements of memory.

    Raises
    ------
    RuntimeError
        Where one cannot be drawn.
    """
    script = Path(__file__).with_name("scenes.py")
    for number in range(first, first + count):
        kept = next(folder.absolute().glob(f"scene-*-{seed}-{number:04d}.*.truth.json"), None)
        if kept is not None:
            yield _scene(kept.with_name(kept.name.removesuffix(".truth.json")))
            continue
        options = [f"--seed={seed}", f"--first={number}", "--count=1"]
        made = measure.run([sys.executable, script, folder.absolute(), *options], _DRAWING_TIMEOUT_S)
        if made.exit_status != 0:
            raise RuntimeError(f"scene {number} of seed {seed} could not be drawn: {made.stderr.strip()}")
        yield _scene(Path(made.stdout.strip()))


def _scene(path: Path) -> Case:
    truth = json.loads(path.with_name(path.name + ".truth.json").read_text())
    about = f"{truth['kind']}, {truth['width_deg']:.1f}° wide, {truth['stars_catalogue']} stars"
    return Case(path.name, path, Truth.of_drawing(truth), about, f"scene: {truth['kind']}")


def _about(options: Sequence[str]) -> str:
    values = dict(option.partition("=")[::2] for option in options)
    mirrored = ", mirrored" if "--mirror" in values else ""
    return f"{float(values['--width']):.1f}° wide, to {float(values['--limit']):.1f} mag{mirrored}"
