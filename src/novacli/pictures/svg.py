"""A drawing as SVG."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator

from novacli.pictures.canvas import Canvas, Shape
from novacli.pictures.labels import Label
from novacli.pictures.lettering import FONT_FAMILY, FONT_FILE
from novacli.pictures.style import BLACK, STYLES

_HALO_OPACITY = 0.75
_LINE_HALO, _TEXT_HALO = 2.4, 3.2


def overlay(canvas: Canvas, styles: Collection[str] = STYLES) -> str:
    """Return the drawing alone, on transparent ground; of its lines and labels only those of some styles."""
    return "".join(_document(canvas, (), styles))


def standalone(canvas: Canvas, background: bytes, credit: str) -> str:
    """Return the drawing on a picture, with its font, as one file that needs nothing else.

    Parameters
    ----------
    canvas
        The drawing.
    background
        The picture below it, a JPEG of any size.
    credit
        The sources of what is drawn.
    """
    font = base64.b64encode(FONT_FILE.read_bytes()).decode()
    image = base64.b64encode(background).decode()
    below = (
        f"<metadata>{_escaped(credit)}</metadata>",
        f"<style>@font-face{{font-family:'{FONT_FAMILY}';src:url(data:font/ttf;base64,{font})}}</style>",
        f'<image width="{canvas.width}" height="{canvas.height}" preserveAspectRatio="none"'
        f' href="data:image/jpeg;base64,{image}"/>',
    )
    return "".join(_document(canvas, below))


def _document(canvas: Canvas, below: Iterable[str], styles: Collection[str] = STYLES) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{canvas.width}" height="{canvas.height}"'
    yield f' viewBox="0 0 {canvas.width} {canvas.height}">\n'
    for part in below:
        yield part + "\n"
    for style in dict.fromkeys(shape.style for shape in canvas.shapes if shape.style in styles):
        yield from _group(style, [shape for shape in canvas.shapes if shape.style == style], canvas.unit)
    labels = [label for label in canvas.labels if label.style in styles]
    if labels:
        yield f'<g font-family="{FONT_FAMILY}, sans-serif" stroke="{BLACK}" stroke-opacity="{_HALO_OPACITY}"'
        yield f' stroke-width="{_TEXT_HALO * canvas.unit:.2f}" stroke-linejoin="round" paint-order="stroke">\n'
        yield from map(_text, labels)
        yield "</g>\n"
    yield "</svg>\n"


def _group(name: str, shapes: list[Shape], unit: float) -> Iterator[str]:
    """Yield the shapes of a style, above a dark halo if it has one.

    Each shape is an element of its own: resvg draws them faster than one path with many parts, and drawing programs
    can move them.
    """
    style = STYLES[name]
    lines = "".join(f'<path d="{shape.path}"/>' for shape in shapes if not shape.is_filled)
    dots = "".join(f'<path d="{shape.path}"/>' for shape in shapes if shape.is_filled)
    if lines and style.halo:
        width = (style.width + _LINE_HALO) * unit
        yield f'<g fill="none" stroke="{BLACK}" stroke-opacity="{0.5 * _HALO_OPACITY}"'
        yield f' stroke-width="{width:.2f}" stroke-linecap="round">{lines}</g>\n'
    if lines:
        dash = " ".join(f"{length * unit:.1f}" for length in style.dash)
        yield f'<g class="{name}" fill="none" stroke="{style.colour}" stroke-opacity="{style.opacity}"'
        yield f' stroke-width="{style.width * unit:.2f}" stroke-linecap="round"'
        yield (f' stroke-dasharray="{dash}"' if dash else "") + f">{lines}</g>\n"
    if dots:
        yield f'<g class="{name}" fill="{style.colour}" fill-opacity="{style.opacity}">{dots}</g>\n'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(label: Label) -> str:
    x, y = label.baseline
    colour = STYLES[label.style].colour
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{label.size:.1f}" fill="{colour}">{_escaped(label.text)}</text>\n'
