"""The members of the race, as data."""

from __future__ import annotations

import pytest

from novacli.extraction.order import StarOrder
from novacli.strategy.portfolio import BLIND, POINTED, SCALED, ImageSizes, Member


def test_every_order_of_stars_is_used() -> None:
    assert {member.order for member in (*BLIND, *SCALED, *POINTED)} == set(StarOrder)


@pytest.mark.parametrize("members", [BLIND, SCALED, POINTED])
def test_labels_are_unique_within_a_group(members: tuple[Member, ...]) -> None:
    """A retry finds by its label which attempt was made already."""
    assert len({member.label for member in members}) == len(members)


@pytest.mark.parametrize("members", [BLIND, SCALED, POINTED])
def test_members_for_small_images_are_not_binned_and_those_for_large_ones_are(members: tuple[Member, ...]) -> None:
    """Binning by 2 suits images of any size."""
    for member in members:
        if member.image_sizes is ImageSizes.SMALL:
            assert member.binning == 1
        elif member.image_sizes is ImageSizes.LARGE:
            assert member.binning > 2
