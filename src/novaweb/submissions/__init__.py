"""What was uploaded and what became of it: submissions, their images, jobs and calibrations, and who may see them."""

from __future__ import annotations
