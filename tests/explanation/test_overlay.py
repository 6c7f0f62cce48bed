import numpy as np
import pytest

from skart.explanation import overlay_heat


def test_hot_places_are_coloured_and_others_grey():
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    heat = np.zeros((4, 6))
    heat[1, 2], heat[3, 3] = 2, -5
    overlay = overlay_heat(image, heat)
    assert overlay.dtype == np.uint8 and overlay.shape == image.shape
    grey = np.ptp(overlay, axis=2) == 0
    assert not grey[1, 2] and grey.sum() == 23
    np.testing.assert_array_equal(overlay, overlay_heat(image, 10 * heat))
    assert (np.ptp(overlay_heat(image, -heat * 0), axis=2) == 0).all()
    other = overlay_heat(image, heat, cmap="viridis")
    assert (other[1, 2] != overlay[1, 2]).any()
    np.testing.assert_array_equal(other[grey], overlay[grey])


def test_sizes_must_be_equal():
    with pytest.raises(ValueError, match="the same height and width"):
        overlay_heat(np.zeros((4, 6, 3)), np.zeros((6, 4)))


def test_heat_must_be_finite():
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="heat must be finite; it holds NaN"):
            overlay_heat(np.zeros((2, 2, 3)), [[0, value], [0, 1]])
