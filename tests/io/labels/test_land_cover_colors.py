"""Colours of classes by the land cover that their names say."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from hsi_geo.arrays import Float64Array
from hsi_geo.io.labels.class_colors import PALETTE, complete_colors
from hsi_geo.io.labels.class_styles import style_classes
from hsi_geo.io.labels.land_cover_colors import KINDS, land_cover_colors, land_cover_of
from hsi_geo.io.labels.shots import make_shots

#: Names in the order of `KINDS`: English, German, French, Spanish, Portuguese, Italian.
NAMES = {
    "water": ("Water", "Wasserfläche", "Eau", "Agua", "Água", "acqua"),
    "forest": ("Trees", "Laubwald", "Forêt", "Árboles", "Floresta", "Bosco"),
    "shrub": ("shrubland", "Gebüsch", "buissons", "Matorral", "arbustos", "macchia"),
    "grass": ("Low vegetation", "Wiese", "prairie", "Pastizal", "Pastagem", "prato"),
    "wetland": ("Wetlands", "Sumpf", "Marais", "humedal", "mangue", "Palude"),
    "crop": ("Crops", "Ackerland", "cultures", "Cultivos", "lavoura", "Vigneto"),
    "sand": ("Sand", "Sandstrand", "Sable", "Arena", "areia", "spiaggia"),
    "soil": ("Bare soil", "Offener Boden", "Sol nu", "Suelo desnudo", "Solo exposto", "suolo"),
    "rock": ("rocks", "Fels", "Roche", "rocas", "rocha", "Rocce"),
    "roof": ("Roof", "Ziegeldächer", "Toits", "Tejado", "telhado", "tetti"),
    "road": ("Pavement", "Straße", "Route", "Carretera", "estrada", "Strada"),
    "snow": ("Snow", "Schnee", "neige", "Nieve", "Neve", "ghiaccio"),
    "cloud": ("Clouds", "Wolken", "Nuages", "nubes", "nuvens", "nuvole"),
    "shadow": ("Shadow", "Schatten", "ombre", "sombra", "Sombra", "ombra"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_say_their_land_cover_in_six_languages(kind: str) -> None:
    number = list(NAMES).index(kind)
    assert {name: land_cover_of(name) for name in NAMES[kind]} == dict.fromkeys(NAMES[kind], number)


@pytest.mark.parametrize(
    "name",
    [
        "7",
        "class 3",
        "kaolinite",
        "A",
        "",
        "price",
        "seasonal",
        "flake",
        "Maria",
        "unknown",
        "其他",
        "mars",
    ],
)
def test_other_names_say_none(name: str) -> None:
    assert land_cover_of(name) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Grass roof", "roof"), ("broadleaf", "forest"), ("Grass-trees", "forest"), ("Rice", "crop"), ("Corn-notill", "crop"),
        ("low_vegetation", "grass"), ("LOW VEGETATION", "grass"), ("tree-shadow", "shadow"), ("Gra\u0308ser", "grass"),
    ],
)  # fmt: skip
def test_the_last_word_counts(name: str, kind: str | None) -> None:
    expected = None if kind is None else list(NAMES).index(kind)
    assert land_cover_of(name) == expected


def test_classes_of_one_kind_differ() -> None:
    colors = land_cover_colors(["Deciduous forest", "Coniferous forest", "Mixed forest"])
    assert len(set(colors)) == 3
    assert set(colors) <= set(KINDS[1].shades)


def test_many_crops_get_the_palette() -> None:
    """Four yellows are not enough for a map of crops."""
    crops = ["Corn", "Wheat", "Oats", "Soybean", "Alfalfa"]
    assert land_cover_colors([*crops, "Woods"]) == [None] * 5 + [KINDS[1].shades[0]]
    colors = complete_colors([None] * 6, [*crops, "Woods"])
    assert len(set(colors)) == 6
    assert set(colors[:5]) <= set(PALETTE)


def test_given_colours_win() -> None:
    blue = KINDS[0].shades[0]
    colors = complete_colors(["#ff00ff", None, blue], ["Water", "Trees", "rest"])
    assert colors == ["#ff00ff", KINDS[1].shades[0], blue]
    colors = complete_colors([blue, None], ["rest", "Water"])
    assert colors[0] == blue
    assert colors[1] != blue


def linear(color: str) -> Float64Array:
    channels = np.array(list(bytes.fromhex(color[1:]))) / 255
    return np.where(channels > 0.04045, ((channels + 0.055) / 1.055) ** 2.4, channels / 12.92)


#: Colours without cones for red and for green (Viénot, Brettel and Mollon 1999), of linear RGB.
PROTAN = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
DEUTAN = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def lab(rgb: Float64Array) -> Float64Array:
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = np.cbrt(np.maximum(to_xyz @ rgb, 1e-6) / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", [np.eye(3), PROTAN, DEUTAN], ids=["full", "no red", "no green"])
def test_usual_colours_can_be_told_apart(eyes: Float64Array) -> None:
    """Those of Berlin's classes, also by colour-blind readers: CIELAB, where 2.3 is just seen."""
    names = ["Roof", "Pavement", "Low vegetation", "Tree", "Soil", "Water", "Crops"]
    seen = [lab(eyes @ linear(color)) for color in complete_colors([None] * 7, names)]
    least = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))
    assert least > 9


def test_names_of_a_class_file_colour_numbers(tmp_path: Path) -> None:
    """The form of a QGIS layer names the values of its field, and nobody gave colours."""
    points = gpd.GeoSeries(shapely.points([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    shots = make_shots(points, [1, 2, 3], colors={"3": "#123456"})
    names = tmp_path / "classes.json"
    styles = {
        "1": {"name": "Wasser"},
        "2": {"name": "Wald", "color": "#abcdef"},
        "3": {"name": "Dach"},
    }
    names.write_text(json.dumps(styles), encoding="utf-8")
    styled = style_classes(shots, names)
    assert [(one.name, one.color) for one in styled.classes] == [
        ("Wasser", KINDS[0].shades[0]),
        ("Wald", "#abcdef"),
        ("Dach", "#123456"),
    ]
