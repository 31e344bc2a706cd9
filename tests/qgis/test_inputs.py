"""Scenes and labels as QGIS gives them: layers, products, archives, fields and their names."""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import

#: Where QGIS keeps the plugin of the toolbox.
PLUGINS = "/usr/share/qgis/python/plugins"


def options_of(fake: Fake) -> dict[str, str]:
    arguments = fake.arguments
    return dict(itertools.pairwise(arguments))


# Scenes ------------------------------------------------------------------------------------------


def test_a_product_is_given_instead_of_a_layer(call: Call, fake: Fake, job: dict[str, Any]) -> None:
    folder = Path(job["labels"]).parent / "ENMAP01 Größe"
    folder.mkdir()
    given = {**job["parameters"], "LABELS": job["labels"]}
    del given["INPUT"]
    call("hsi_geo:classify", python=str(fake.python), PRODUCT=folder, **given)
    assert fake.arguments[-2:] == ["--", str(folder)]


@pytest.mark.parametrize(
    ("scenes", "said"),
    [((), "no scene is given"), (("INPUT", "PRODUCT"), "clear one of the two")],
)
def test_exactly_one_scene_is_wanted(
    scenes: tuple[str, ...], said: str, call: Call, fake: Fake, job: dict[str, Any]
) -> None:
    given = {**job["parameters"], "LABELS": job["labels"]}
    scene = given.pop("INPUT")
    shown = call(
        "hsi_geo:classify", python=str(fake.python), **given, **dict.fromkeys(scenes, scene)
    )
    assert shown.returncode != 0
    assert said in shown.stdout + shown.stderr
    assert "--" not in shown.stderr
    assert not (fake.folder / "calls.jsonl").exists()


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip", "option"])
def test_a_layer_is_named_whole(
    kind: str, case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    """Files in archives keep their place inside; options of GDAL's drivers are no part of a name."""
    scene, inside = Path(job["parameters"]["INPUT"]), tmp_path / "inside" / "deep"
    inside.mkdir(parents=True)
    shutil.copy(scene, inside / "scene.tif")
    if kind == "option":
        source, name = f"{scene}|option:NUM_THREADS=2", str(scene)
    elif kind == "gzip":
        packed = tmp_path / "scene.tif.gz"
        packed.write_bytes(gzip.compress(scene.read_bytes()))
        source = name = f"/vsigzip/{packed}"
    else:
        packed = Path(shutil.make_archive(str(tmp_path / "packed"), kind, tmp_path / "inside"))
        source = name = f"/vsi{kind}/{packed}/deep/scene.tif"
    given = {"labels": job["labels"], "parameters": {**job["parameters"], "INPUT": source}}
    found = case("layers_of_project", python=fake.python, **given)
    assert found["ok"], found
    assert fake.arguments[-2:] == ["--", name]


def test_labels_in_an_archive_are_read(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    labels = gpd.read_file(job["labels"])
    labels.to_file(tmp_path / "labels.geojson")
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        archive.write(tmp_path / "labels.geojson", "a/labels.geojson")
        archive.writestr("a/other.geojson", '{"type": "FeatureCollection", "features": []}')
    name = f"/vsizip/{tmp_path}/labels.zip/a/labels.geojson"
    found = case("layers_of_project", python=fake.python, **{**job, "labels": name})
    assert found["ok"], found
    assert len(fake.given("shots")) == len(labels)


# The field with the class ------------------------------------------------------------------------


def test_the_field_that_the_layer_is_styled_by_is_taken(
    call: Call, fake: Fake, berlin: Path, tmp_path: Path
) -> None:
    """Berlin has Level_1, Level_2 and an id of each; its style has categories of Level_2."""
    shown = call(
        "hsi_geo:classify",
        python=str(fake.python),
        INPUT=berlin / "EnMAP_BerlinUrbanGradient.bsq",
        LABELS=berlin / "LandCov_BerlinUrbanGradient.shp",
        OUTPUT=tmp_path / "map.tif",
    )
    assert options_of(fake)["--class-field"] == "Level_2", shown.stdout + shown.stderr
    assert "'Level_2'" in shown.stdout
    styles = json.loads((fake.folder / "classes.json").read_text(encoding="utf-8"))
    assert styles["Roof"] == {"name": "Roof", "color": "#e60000"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"fid_2": [1, 2, 3, 4], "Klasse": ["a", "a", "b", "b"]}, "Klasse"),
        ({"name": ["p1", "p2", "p3", "p4"], "kind": ["a", "a", "b", "b"]}, "kind"),
        ({"visited": [True] * 4, "height": [1.5, 2.5, 1.0, 3.0], "code": [1, 2, 1, 2]}, "code"),
    ],
)
def test_without_a_style_the_likeliest_field_is_taken(
    fields: dict[str, list[Any]],
    expected: str,
    call: Call,
    fake: Fake,
    job: dict[str, Any],
    tmp_path: Path,
) -> None:
    places = gpd.read_file(job["labels"]).geometry.iloc[:4]
    path = tmp_path / "plain.gpkg"
    gpd.GeoDataFrame(fields, geometry=list(places), crs=places.crs).to_file(path)
    given = {**job["parameters"], "LABELS": path}
    del given["CLASS_FIELD"]
    shown = call("hsi_geo:classify", python=str(fake.python), **given)
    assert options_of(fake)["--class-field"] == expected, shown.stdout + shown.stderr


NAMES = {"1": "Wasser", "2": "Wiese", "3": "Straße"}


@pytest.fixture
def coded(job: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The points of the job, with an integer field instead of the classes' names."""
    points = gpd.read_file(job["labels"])
    codes = {name: code for code, name in enumerate(sorted(set(points["class"])), start=1)}
    points["code"] = points["class"].map(codes)
    path = tmp_path / "coded.gpkg"
    points[["code", "geometry"]].to_file(path)
    return {
        "labels": str(path),
        "parameters": {**job["parameters"], "CLASS_FIELD": "code"},
        "names": NAMES,
    }


COLORS = ("#112233", "#445566", "#778899")


@pytest.mark.parametrize("categories", ["", "code", "concat('<', code, '>')"])
@pytest.mark.parametrize("widget", ["ValueMap", "ValueRelation"])
def test_values_are_named_as_the_form_names_them(
    widget: str, categories: str, case: Case, fake: Fake, coded: dict[str, Any]
) -> None:
    """Also where categories, of the field or of an expression of it, give colours but no labels."""
    coded["parameters"]["CLASS_FIELD"] = "code" if not categories else ""
    found = case("named_values", python=fake.python, widget=widget, categories=categories, **coded)
    assert found["ok"], found
    styles = json.loads((fake.folder / "classes.json").read_text(encoding="utf-8"))
    assert {value: style["name"] for value, style in styles.items()} == NAMES
    colors = tuple(style.get("color") for style in styles.values())
    assert colors == (COLORS if categories else (None, None, None))


# The dialog --------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path(PLUGINS).is_dir(), reason="needs QGIS's plugin of the toolbox")
def test_the_dialog_suggests_scene_and_field(
    case: Case, fake: Fake, berlin: Path, job: dict[str, Any], tmp_path: Path
) -> None:
    picture = tmp_path / "picture.tif"
    shutil.copy(Path(job["parameters"]["INPUT"]), picture)
    scene, labels = "EnMAP_BerlinUrbanGradient.bsq", "LandCov_BerlinUrbanGradient.shp"
    product = str(tmp_path / "product.he5")
    found = case(
        "dialog",
        python=fake.python,
        plugins=PLUGINS,
        rasters=[str(picture), str(berlin / scene)],
        vectors=[str(berlin / labels), job["labels"]],
        changes=[
            ["LABELS", Path(job["labels"]).name],
            ["LABELS", labels],
            ["PRODUCT", product],
            ["INPUT", scene],
            ["CLASS_FIELD", "Level_1"],
        ],
    )["seen"]
    first, other, again, with_product, with_layer, with_field = found
    assert (first["INPUT"], first["PRODUCT"]) == (scene, None)
    assert (first["LABELS"], first["CLASS_FIELD"], first["ok"]) == (labels, "Level_2", True)
    assert other["CLASS_FIELD"] == "class"
    assert again["CLASS_FIELD"] == "Level_2"
    assert (with_product["INPUT"], with_product["PRODUCT"]) == (None, product)
    assert (with_layer["INPUT"], with_layer["PRODUCT"]) == (scene, None)
    assert with_field["CLASS_FIELD"] == "Level_1"
    assert all(one["ok"] for one in found), found


# Links and spectral libraries --------------------------------------------------------------------

LINK = "https://data.example.org/x/EMIT_1.nc?token=a/b.c"


@pytest.mark.parametrize(
    "name", ["classify", "adapt", "classify_scenes", "predict", "info", "open"]
)
@pytest.mark.slow
def test_links_are_given_as_they_are(
    name: str, call: Call, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    """With the asset of a STAC item, and leave to follow links to other hosts."""
    given: dict[str, Any] = {"PRODUCT": LINK, "ASSET": "rfl", "FOLLOW_LINKS": True}
    given |= {"PIXEL_SIZE": 60.5, "DEM": job["parameters"]["INPUT"]}
    if name in ("classify", "adapt", "classify_scenes"):
        given |= {"LABELS": job["labels"], "CLASS_FIELD": "class"}
    if name == "predict":
        (tmp_path / "m.safetensors").touch()
        given["MODEL"] = tmp_path / "m.safetensors"
    if name in ("classify", "adapt", "classify_scenes", "predict"):
        given["OUTPUT"] = tmp_path / "out.tif"
    call(f"hsi_geo:{name}", python=str(fake.python), **given)
    assert fake.arguments[-2:] == ["--", LINK]
    assert "--follow-links" in fake.arguments
    assert options_of(fake)["--asset"] == "rfl"
    assert options_of(fake)["--pixel-size"] == "60.5"
    assert options_of(fake)["--dem"] == job["parameters"]["INPUT"]
    if name == "classify_scenes":
        assert Path(options_of(fake)["--out"]).name == "EMIT_1_classes.tif"


def test_a_list_of_links_is_a_batch(call: Call, fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").touch()
    call(
        "hsi_geo:batch",
        python=str(fake.python),
        PRODUCT="https://data.example.org/items.json",
        ASSET="data",
        MODEL=tmp_path / "m.safetensors",
        OUTPUT=tmp_path / "maps",
    )
    assert fake.arguments[-2:] == ["--", "https://data.example.org/items.json"]
    assert options_of(fake)["--asset"] == "data"
    assert "--follow-links" not in fake.arguments


@pytest.mark.parametrize("name", ["classify", "adapt", "classify_scenes"])
@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.slow
def test_a_spectral_library_is_given_with_its_weight(
    name: str, drawn: bool, call: Call, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    """Alone, or after drawn labels; each file has a class field of its own."""
    library = tmp_path / "Größe library.sli"
    library.touch()
    labels = {"LABELS": job["labels"], "CLASS_FIELD": "class"} if drawn else {}
    scene = {"INPUT" if name == "classify" else "INPUTS": job["parameters"]["INPUT"]}
    shown = call(
        f"hsi_geo:{name}",
        python=str(fake.python),
        LIBRARY=library,
        LIBRARY_FIELD="level 2",
        LIBRARY_WEIGHT=0.25,
        OUTPUT=tmp_path / "out.tif",
        **scene,
        **labels,
    )
    arguments = fake.arguments

    def given(option: str) -> list[str]:
        return [value for key, value in itertools.pairwise(arguments) if key == option]

    assert given("--shots")[-1] == str(library), shown.stdout + shown.stderr
    assert len(given("--shots")) == 1 + drawn
    assert given("--class-field") == ["class"] * drawn + ["level 2"]
    assert given("--library-weight") == ["0.25"]


def test_the_weight_of_a_library_has_limits(case: Case, fake: Fake, job: dict[str, Any]) -> None:
    rows = [
        {**job["parameters"], "LABELS": job["labels"], "LIBRARY_WEIGHT": weight}
        for weight in (0.0, 1.5, 1.0)
    ]
    found = case("checked", algorithm="classify", rows=rows, python=fake.python)["rows"]
    assert [one["ok"] for one in found] == [False, False, True]


@pytest.mark.slow
def test_a_library_alone_maps_a_scene(
    call: Call, job: dict[str, Any], quick_python: str, tmp_path: Path
) -> None:
    """Spectra of the scene's own pixels, as a CSV table."""
    import numpy as np

    from hsi_geo import open_scene

    scene = open_scene(job["parameters"]["INPUT"])
    labels = gpd.read_file(job["labels"]).to_crs(scene.hsi.grid.crs)
    inverse = ~scene.hsi.grid.transform
    rows = []
    for point, name in zip(labels.geometry.centroid, labels["class"], strict=True):
        col, row = inverse @ (point.x, point.y)
        rows.append((name, scene[:, int(row), int(col)].values))
    header = ",".join(f"{centre:g}" for centre in scene["wavelength"].values)
    text = [f"class,{header}"] + [
        f"{name},{','.join(map(str, np.asarray(values, float)))}" for name, values in rows
    ]
    (tmp_path / "library.csv").write_text("\n".join(text))
    shown = call(
        "hsi_geo:classify",
        python=quick_python,
        INPUT=job["parameters"]["INPUT"],
        LIBRARY=tmp_path / "library.csv",
        OUTPUT=tmp_path / "map.tif",
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert (tmp_path / "map.tif").exists()
    assert "not estimated" in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("SEED", "1,5", "a whole number such as 20"),
        ("SEED", "1.5", "a whole number such as 20"),
        ("THREADS", "two", "a whole number such as 20"),
        ("THREADS", "1 000", "a whole number such as 20"),
        ("LIBRARY_WEIGHT", "0,5", "a number such as 0.5"),
        ("TRUST_SHOTS", "no", "true or false"),
        ("FOLLOW_LINKS", "off", "true or false"),
    ],
)
def test_texts_that_are_no_values_are_refused(
    name: str, text: str, wanted: str, call: Call, fake: Fake, job: dict[str, Any]
) -> None:
    """QGIS takes a default for optional numbers, rounds, and takes any text for yes."""
    given = {**job["parameters"], "LABELS": job["labels"], name: text}
    shown = call("hsi_geo:classify", python=str(fake.python), **given)
    assert shown.returncode != 0
    assert f"({name}) is '{text}', and {wanted} is wanted" in shown.stdout + shown.stderr
    assert not (fake.folder / "calls.jsonl").exists()


def test_texts_of_numbers_and_of_yes_and_no_are_values(
    call: Call, fake: Fake, job: dict[str, Any]
) -> None:
    texts = {"SEED": "7.0", "THREADS": " 1 ", "TRUST_SHOTS": "False"}
    given = {**job["parameters"], "LABELS": job["labels"], **texts}
    call("hsi_geo:classify", python=str(fake.python), **given)
    options = options_of(fake)
    assert (options["--seed"], options["--threads"]) == ("7", "1")
    assert "--trust-shots" not in fake.arguments
