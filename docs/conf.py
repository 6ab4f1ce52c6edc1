"""Settings of Sphinx for the documentation site: ``sphinx-build -W -b html docs build/docs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

from novacli import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "nova"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc"]
source_suffix = {".md": "markdown"}
# The pages link to headings by the anchors that GitHub gives them.
myst_heading_anchors = 4
autodoc_member_order = "bysource"
# Show "progress=SILENT", and not the representation of that object.
autodoc_preserve_defaults = True
# Fields of dataclasses are described in the text of their class.
numpydoc_show_class_members = False
autosummary_generate = False

html_theme = "furo"
html_title = f"nova {version}"
html_copy_source = False


def setup(app: Sphinx) -> None:
    """Show crontabs as plain text: Pygments has no lexer for them."""
    app.add_lexer("cron", TextLexer)
