"""Errors of areas in zones: of samples and of held-out shots, in the whole map, in small zones and in whole fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from assess_cases import damaged, truth, write_class_map
from zone_cases import BOXES, box, drawn, write_zones

from hsi_geo import assess, zones
from hsi_geo.tasks.validation.zone_errors import (
    Confusion,
    confusion_of_held_out,
    confusion_of_sample,
    correlation_in_zones,
    doubt_zone,
    estimate_zone,
)


@pytest.mark.parametrize("design", ["stratified", "simple"])
def test_a_zone_of_the_whole_map_has_the_areas_of_assess(tmp_path: Path, design: Any) -> None:
    path = write_class_map(tmp_path, damaged())
    reference = drawn(tmp_path, path, design, 150)
    whole = gpd.GeoDataFrame({"zone": ["all"]}, geometry=[box(0, 0, 37, 53)], crs="EPSG:32633")
    whole.to_file(tmp_path / "all.gpkg")
    found = zones(
        path, tmp_path / "all.gpkg", tmp_path / "a.csv", reference=reference, design=design
    )
    scores = {score.name: score.area for score in assess(path, reference, design=design).scores}
    assert found.basis == "reference"
    for one in found.areas:
        area = scores[one.name]
        assert area is not None
        assert one.hectares == pytest.approx(area.ha)
        assert one.hectares_se == pytest.approx(area.ha_se)
        assert one.mapped_ha == pytest.approx(area.mapped_ha)
        assert (one.places, one.own_percent) == (150, 100)


def test_classes_with_few_places_in_a_zone_take_the_rates_of_the_map(tmp_path: Path) -> None:
    path = write_class_map(tmp_path, damaged())
    reference = drawn(tmp_path, path, "stratified", 150)
    found = zones(
        path, write_zones(tmp_path), tmp_path / "a.csv", reference=reference, design="stratified"
    )
    own = {one.zone: one.own_percent for one in found.areas}
    assert own["north"] is not None
    assert own["north"] > 50
    assert own["a piece"] == 0
    for zone in ("north", "a piece", "beyond"):
        rows = [one for one in found.areas if one.zone == zone]
        assert sum(one.percent for one in rows) == pytest.approx(100)
        assert sum(one.hectares or 0 for one in rows) == pytest.approx(
            sum(one.mapped_ha or 0 for one in rows)
        )
        assert all(one.hectares_se is not None for one in rows)


@pytest.mark.parametrize(("count", "zone"), [(60, "a piece"), (300, "a piece"), (300, "north")])
def test_the_interval_of_two_errors_covers_the_true_area(count: int, zone: str) -> None:
    """Also in a zone of one class, where all that is mapped as another one is wrong."""
    mapped, true = damaged().astype(int) - 1, truth().astype(int) - 1
    top, left, bottom, right = BOXES[zone]
    inside = np.zeros(mapped.shape, bool)
    inside[top:bottom, left:right] = True
    pixels = np.bincount(mapped[inside & (mapped >= 0)], minlength=3)
    expected = np.bincount(true[inside & (true >= 0)], minlength=3)
    land = np.bincount(mapped[mapped >= 0], minlength=3)
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        flat = np.concatenate(
            [generator.choice(np.flatnonzero(mapped.ravel() == k), count // 3, replace=False)
             for k in range(3)]
        )  # fmt: skip
        m, t, here = mapped.ravel()[flat], true.ravel()[flat], inside.ravel()[flat]
        weights = land[m] / (count // 3)
        whole = confusion_of_sample(m, t, weights, 3)
        own = confusion_of_sample(m[here], t[here], weights[here], 3)
        found = estimate_zone(pixels.astype(float), pixels, whole, own)
        assert found.areas.sum() == pytest.approx(pixels.sum())
        covered.append(np.abs(found.areas - expected) <= 2 * found.errors)
    assert np.mean(covered) > 0.85


def test_a_class_without_places_stays_as_mapped() -> None:
    whole = Confusion(
        np.array([[9.0, 1.0, 0], [1.0, 9.0, 0], [0, 0, 0]]),
        np.array([20.0, 20.0, 1.0]),
        np.array([20.0, 20.0, 0.0]),
    )
    nothing = Confusion(np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    found = estimate_zone(np.array([10.0, 30.0, 5.0]), np.array([10, 30, 5]), whole, nothing)
    assert found.areas[2] == 5
    assert found.areas.sum() == pytest.approx(45)
    assert np.isfinite(found.errors).tolist() == [True, True, False]


def test_held_out_shots_never_leave_a_class_without_doubt() -> None:
    """Ten places of two classes, all right: an error of 0 would be a claim that nothing supports."""
    mapped, pixels = np.array([60.0, 40.0]), np.array([600, 400])
    few = doubt_zone(mapped, pixels, confusion_of_held_out(np.diag([50, 50]), 10))
    many = doubt_zone(mapped, pixels, confusion_of_held_out(np.diag([50, 50]), 10_000))
    assert few.areas.tolist() == many.areas.tolist() == mapped.tolist()
    assert (few.errors > 5).all()
    assert (many.errors < 1).all()
    wrong = doubt_zone(mapped, pixels, confusion_of_held_out(np.array([[50, 25], [0, 25]]), 10_000))
    assert wrong.errors == pytest.approx(
        [40, 40], rel=0.1
    )  # half of the second class is mapped as the first
    unseen = doubt_zone(np.ones(3), np.ones(3, int), confusion_of_held_out(np.diag([5, 5, 0]), 10))
    assert np.isfinite(unseen.errors).tolist() == [True, True, False]


@pytest.mark.parametrize(("field_px", "least", "most"), [(10, 0.25, 0.9), (1, 0.0, 0.06)])
@pytest.mark.slow
def test_errors_of_whole_fields_are_found_and_make_wider_intervals(
    field_px: int, least: float, most: float
) -> None:
    """A map that errs in whole fields errs more in a zone than one whose pixels err on their own."""
    generator = np.random.default_rng(5)
    found: list[float] = []
    covered: list[Any] = []
    blind: list[Any] = []
    for _ in range(12):
        fields = 120 // field_px
        true = generator.integers(0, 3, (fields, fields)).repeat(field_px, 0).repeat(field_px, 1)
        wrong = generator.random((fields, fields)) < 0.25
        wrong = wrong.repeat(field_px, 0).repeat(field_px, 1)
        mapped = np.where(wrong, (true + 1) % 3, true)
        # Zones of 20 x 20 pixels: four fields.
        zone_of = (np.arange(120)[:, None] // 20 * 6 + np.arange(120)[None] // 20).ravel()
        chosen = generator.choice(mapped.size, 300, replace=False)
        m, t = mapped.ravel()[chosen], true.ravel()[chosen]
        whole = confusion_of_sample(m, t, np.ones(300), 3)
        groups = [zone_of[chosen] == zone for zone in range(36)]
        found.append(correlation_in_zones(groups, m, t, whole))
        nothing = Confusion(np.zeros((3, 3)), np.zeros(3), np.zeros(3))
        for zone in range(36):
            inside = zone_of == zone
            pixels = np.bincount(mapped.ravel()[inside], minlength=3)
            truth_px = np.bincount(true.ravel()[inside], minlength=3)
            for correlation, kept in ((found[-1], covered), (0.0, blind)):
                one = estimate_zone(pixels.astype(float), pixels, whole, nothing, correlation)
                kept.append(np.abs(one.areas - truth_px) <= 2 * one.errors)
    assert least < np.mean(found) < most
    assert np.mean(covered) > 0.88
    if field_px > 1:
        assert np.mean(blind) < np.mean(covered) - 0.1
