"""What QGIS asks of hsi-geo: parameters, selections, unsaved edits, batches."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import


@pytest.mark.slow
def test_parameters_become_options(
    call: Call, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    labels = gpd.read_file(job["labels"])
    area = gpd.GeoDataFrame(geometry=[labels.union_all().convex_hull], crs=labels.crs)
    area.to_file(tmp_path / "area.gpkg", driver="GPKG")
    out = Path(job["parameters"]["OUTPUT"])
    out.write_bytes(b"agreed to be replaced")
    call(
        "hsi_geo:classify",
        python=str(fake.python),
        LABELS=job["labels"],
        AOI=tmp_path / "area.gpkg",
        SEED=7,
        THREADS=2,
        DEVICE="cpu",
        ALL_TOUCHED=1,
        TRUST_SHOTS=1,
        MAX_MEMORY="2G",
        WAVELENGTHS="400:2500",
        MASK="clouds,water",
        WEIGHTS=job["labels"],
        PROBABILITIES=tmp_path / "p.tif",
        **job["parameters"],
    )
    arguments = fake.arguments
    assert arguments[:3] == ["classify", "--progress", "jsonl"]
    assert arguments[-2:] == ["--", job["parameters"]["INPUT"]]
    assert {"--all-touched", "--trust-shots", "--probabilities", "--overwrite"} <= set(arguments)
    assert "--confidence" not in arguments
    for option, value in {
        "--class-field": "class", "--seed": "7", "--threads": "2", "--device": "cpu",
        "--max-memory": "2G", "--wavelengths": "400:2500", "--mask": "clouds,water", "--weights": job["labels"],
        "--out": str(out),
    }.items():  # fmt: skip
        assert arguments[arguments.index(option) + 1] == value
    assert fake.given("aoi").area.sum() == pytest.approx(area.area.sum())
    # The exported labels keep the name that the user knows, for messages.
    assert arguments[arguments.index("--shots") + 1].endswith("/shots.gpkg")


def test_a_sampling_design_is_passed_on(call: Call, fake: Fake, job: dict[str, Any]) -> None:
    numbers = dict.fromkeys(("value", "low", "high"), 0.25)
    found = {"oa": numbers, "aa": numbers, "kappa": None}
    fake.answer({"v": 1, "type": "result", "outputs": {}, "assessment": found})
    shown = call(
        "hsi_geo:assess",
        python=str(fake.python),
        INPUT=job["parameters"]["INPUT"],
        REFERENCE=job["labels"],
        CLASS_FIELD="class",
        DESIGN="stratified",
        STRATA=job["parameters"]["INPUT"],
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "OVERALL_ACCURACY:\t25" in shown.stdout
    arguments = fake.arguments
    assert arguments[arguments.index("--design") + 1] == "stratified"
    assert arguments[arguments.index("--strata") + 1] == job["parameters"]["INPUT"]
    assert arguments[arguments.index("--reference") + 1].endswith("/shots.gpkg")


def test_files_of_others_are_not_overwritten(call: Call, fake: Fake, job: dict[str, Any]) -> None:
    """Without a map, what lies beside its place belongs to someone else."""
    call("hsi_geo:classify", python=str(fake.python), LABELS=job["labels"], **job["parameters"])
    assert "--overwrite" not in fake.arguments


def test_a_model_is_kept_from_the_one_adaptation(
    call: Call, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    target = tmp_path / "kept.safetensors"
    shown = call(
        "hsi_geo:classify",
        python=str(fake.python),
        LABELS=job["labels"],
        MODEL=target,
        **job["parameters"],
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    lines = (fake.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    (arguments,) = (json.loads(line) for line in lines)
    assert arguments[0] == "classify"
    assert arguments[arguments.index("--save-model") + 1] != str(
        target
    )  # moved when the map is there
    assert target.read_text(encoding="utf-8") == "model"


def test_only_selected_features_are_learnt_from(
    case: Case, fake: Fake, job: dict[str, Any]
) -> None:
    found = case("selected_only", expression="\"class\" <> 'water'", python=fake.python, **job)
    assert found["ok"], found
    assert fake.given("shots")["class"].value_counts().to_dict() == {"asphalt": 4, "meadow": 4}


def test_a_selection_of_no_feature_is_named(case: Case, job: dict[str, Any]) -> None:
    found = case("selected_only", expression="false", **job)
    assert not found["ok"]
    said = (
        "'Labels' takes selected features only, and no feature of layer 'Meine Flächen' is selected"
    )
    assert said in found["log"] + found.get("error", "")


def test_unsaved_edits_count(case: Case, fake: Fake, job: dict[str, Any]) -> None:
    point = [383472.5 + 30 * 2.5, 5818302.25 - 20 * 1.5]
    found = case(
        "unsaved_edits", expression="\"class\" = 'water'", point=point, python=fake.python,
        **{"class": "meadow"}, **job,
    )  # fmt: skip
    assert found["ok"], found
    given = fake.given("shots")
    assert given["class"].value_counts().to_dict() == {"asphalt": 4, "meadow": 5}
    assert point in [[place.x, place.y] for place in given.geometry]
    assert given.crs.to_epsg() == 32633


def test_a_batch_goes_on_after_a_bad_row(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    common = {**job["parameters"], "LABELS": job["labels"]}
    rows = [
        {**common, "OUTPUT": str(tmp_path / "one.tif"), "SEED": 3},
        {**common, "OUTPUT": str(tmp_path / "two.tif"), "CLASS_FIELD": "nothing"},
        {**common, "OUTPUT": str(tmp_path / "three.tif"), "SEED": "4", "DEVICE": "cpu"},
    ]
    found = case("batch", algorithm="classify", rows=rows, python=fake.python)["rows"]
    assert [row["ok"] for row in found] == [True, False, True]
    assert "no field 'nothing'" in found[1]["error"]
    assert str(tmp_path / "three.tif") in fake.arguments


def test_commands_are_in_the_log_only_if_they_are_asked_for(
    case: Case, fake: Fake, job: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    shutil.copytree(environment["QGIS_CUSTOM_CONFIG_PATH"], profile)
    plain, with_command = case("commands_in_log", python=fake.python, profile=profile, **job)[
        "logs"
    ]
    assert "--" not in plain
    assert str(fake.python) not in plain
    assert "--progress jsonl --shots" in with_command
