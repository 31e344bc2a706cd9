"""Comparison of our method with baselines on labelled scenes, with the same shots."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import rasterio

from hsi_geo import stages
from hsi_geo.arguments import require_flags
from hsi_geo.arrays import IntArray
from hsi_geo.errors import ModelFileError, OptionError
from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene, load_benchmark_scene
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.io.outputs.atomic import atomic_outputs, make_folder
from hsi_geo.io.outputs.checks import require_free
from hsi_geo.io.scenes.windows import stored_nodata
from hsi_geo.progress import Reporter, SilentReporter, default_reporter
from hsi_geo.tasks.adapt import DEFAULT_RECIPE, adapt
from hsi_geo.tasks.adaptation.recipe import Recipe
from hsi_geo.tasks.benchmarking.drawings import (
    BANDS,
    DRAWINGS,
    ONE_POLYGON,
    Drawing,
    select_bands,
)
from hsi_geo.tasks.benchmarking.methods import BASELINE_NAMES, GROUPS, SINGLE
from hsi_geo.tasks.benchmarking.protocol import (
    SEEDS,
    Split,
    calibration_error,
    draw_blocked,
    draw_shots,
    reliability,
    score,
)
from hsi_geo.tasks.benchmarking.tables import best_methods, markdown, summary, title_of
from hsi_geo.tasks.benchmarking.ways import compare_ways, has_several_ways, sum_ways
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.predict import predict
from hsi_geo.tasks.runtime import Compute
from hsi_geo.text import did_you_mean

if TYPE_CHECKING:
    from hsi_geo.tasks.benchmarking.baselines import BaselineFeatures


def _with_fine_tuning(**changes: Any) -> Recipe:
    """The default recipe with changes of the fine-tuning."""
    fine_tuning = dataclasses.replace(DEFAULT_RECIPE.fine_tuning, **changes)
    return dataclasses.replace(DEFAULT_RECIPE, fine_tuning=fine_tuning)


#: Our method and its ablations: recipe, and weights to start from (None for the default).
OURS = "hsi-geo"
VARIANTS: dict[str, tuple[Recipe, str | None]] = {
    OURS: (DEFAULT_RECIPE, None),
    "linear-head": (dataclasses.replace(DEFAULT_RECIPE, method="linear"), None),
    "fine-tuning": (_with_fine_tuning(target="shots", noise=(0.0,)), None),
    "ema": (_with_fine_tuning(target="ema", noise=(0.0,)), None),
    "noise-only": (_with_fine_tuning(target="shots"), None),
    "teacher-only": (_with_fine_tuning(noise=(0.0,)), None),
    "no-features": (dataclasses.replace(DEFAULT_RECIPE, use_encoder_features=False), None),
    "no-weights": (DEFAULT_RECIPE, "none"),
}

DEFAULT_METHODS = (OURS, "svm", "random-forest", "logistic-regression", "pca", "noise", "auto")


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """Results and files of a benchmark.

    Attributes:
        entries: Entries of ``results.json`` for the requested runs; it may hold others of earlier calls.
        table: Header and rows of a table: mean and standard deviation by method and scene, or, for several drawings,
            choices of bands or splits, means by scene and way.
        totals: Header and rows of a table with the pooled error by way; empty if there is one way.
        results: Path of ``results.json``.
        markdown: Path of ``table.md``, a table with more columns.
        plot: Path of ``plot.png``.
    """

    entries: list[dict[str, Any]]
    table: list[tuple[str, ...]]
    totals: list[tuple[str, ...]]
    results: Path
    markdown: Path
    plot: Path


def benchmark(
    out: str | os.PathLike[str],
    *,
    scenes: Sequence[str] = ("indian_pines",),
    data: str | os.PathLike[str] | None = None,
    shots: Sequence[int] = (5,),
    seeds: int = len(SEEDS),
    methods: Sequence[str] | None = None,
    splits: Sequence[Split] = ("random",),
    drawings: Sequence[str] = ("points",),
    bands: Sequence[str] = ("all",),
    compute: Compute = Compute(),
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> BenchmarkResult:
    """Measure methods on labelled scenes, all on the same shots.

    An interrupted benchmark continues: entries that ``results.json`` contains are not measured again.

    Args:
        out: Folder of ``results.json``, ``table.md`` and ``plot.png``; it is made if it does not exist.
        scenes: Names of scenes, see `io.datasets.benchmark_scenes.LOADERS`.
        data: Folder of the scenes' files; Indian Pines needs none.
        shots: Numbers of shots of each class.
        seeds: Number of seeds, the first ones of `SEEDS`.
        methods: Keys of `VARIANTS`, of `baselines.BASELINES` or of `methods.GROUPS`; None takes
            `DEFAULT_METHODS`.
        splits: How shots and test pixels are chosen: "random", "blocked" or both.
        drawings: Ways to draw the shots, keys of `drawings.DRAWINGS`: "points"; "squares" of 3 x 3 pixels; "square", one
            of 5 x 5 pixels; "wrong", points of which one in five has a wrong label; "stretch", one polygon of 20 to 60
            pixels. "square" and "stretch" draw one polygon for each class, whatever `shots` says.
        bands: Bands of the scenes, keys of `drawings.BANDS`: "all", "vnir" (400 to 1000 nm), "swir" (more than 1000 nm)
            or "eighth" (every eighth band). A scene without such bands is left out, with a warning.
        compute: Device, number of threads, and seed of our method's random numbers.
        overwrite: Whether to discard the entries of ``results.json``.
        reporter: Receives the progress; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        The entries and a table.

    Raises:
        OptionError: If a scene, a method, a drawing, a choice of bands or the number of seeds is unknown.
        ModelFileError: If ``results.json`` has other contents.
    """
    require_flags(overwrite=overwrite)
    reporter = reporter or default_reporter()
    if not 1 <= seeds <= len(SEEDS):
        raise OptionError(f"{seeds} seeds were requested", hint=f"give 1 to {len(SEEDS)}")
    names = _expand(DEFAULT_METHODS if methods is None else methods)
    for title, given, known in (("drawing", drawings, DRAWINGS), ("choice of bands", bands, BANDS)):
        for name in given:
            if name not in known:
                raise OptionError(
                    f"there is no {title} '{name}'", hint=f"choose from {', '.join(known)}"
                )
    loaded = [load_benchmark_scene(scene, data) for scene in scenes]
    folder = Path(out)
    make_folder(folder)
    path = folder / "results.json"
    entries = [] if overwrite else _read(path)
    page, plot = folder / "table.md", folder / "plot.png"
    is_ours = overwrite or path.exists()  # a table without results is another user's file
    if not is_ours:
        require_free([page, plot])
    done = {_key(entry) for entry in entries}
    cut = list(_with_bands(loaded, bands, reporter))
    keys = list(_keys(shots, SEEDS[:seeds], splits, drawings))
    count = 0
    wanted: set[tuple[Any, ...]] = set()
    # This imports scikit-learn's classifiers, which takes longer than all checks.
    from hsi_geo.tasks.benchmarking.baselines import BaselineFeatures

    for choice, scene in cut:
        features = BaselineFeatures(_fill_missing(scene))
        for key in keys:
            run = None
            for name in names:
                count += 1
                own = _key({"scene": scene.name, "method": name, "bands": choice, **key})
                wanted.add(own)
                if own in done:
                    continue
                run = run or _draw(scene, **key)
                found = _measure(scene, features, run, name, key["seed"], compute)
                entries.append(
                    {"scene": scene.name, "method": name, "bands": choice, **key, **found}
                )
                done.add(own)
                _write(path, entries)
                reporter.progress(stages.COMPARING, count, len(cut) * len(keys) * len(names))
    _write(path, entries)
    # Runs of earlier calls have other numbers of seeds or shots, which would not be the same shots for all methods.
    chosen = [entry for entry in entries if _key(entry) in wanted]
    # The first method is compared with the others, whichever was measured first in a run that was continued.
    chosen.sort(key=lambda entry: names.index(entry["method"]))
    several = has_several_ways(chosen)
    table = compare_ways(chosen) if several else summary(chosen)
    titles = [title_of(entry) for entry in chosen] if several else []
    from hsi_geo.io.reports.figures import draw_benchmark

    with atomic_outputs([page, plot], overwrite=is_ours) as where:
        where[page].write_text(markdown(chosen), encoding="utf-8")
        draw_benchmark(where[plot], chosen, best_methods(chosen), titles)
    totals = sum_ways(chosen) if several else []
    return BenchmarkResult(chosen, table, totals, path, page, plot)


@dataclass(frozen=True, eq=False)
class _Run:
    """Shots, and (M,) flat indices of the test pixels."""

    drawing: Drawing
    test: IntArray


def _with_bands(
    loaded: Sequence[BenchmarkScene], bands: Sequence[str], reporter: Reporter
) -> Iterator[tuple[str, BenchmarkScene]]:
    """Each choice of bands, with each scene that has such bands."""
    for scene in loaded:
        for choice in bands:
            cut = select_bands(scene, choice)
            if cut is None:
                reporter.warning(
                    f"scene '{scene.name}' has no bands for '{choice}': it is left out there"
                )
            else:
                yield choice, cut


def _keys(
    shots: Sequence[int], seeds: Sequence[int], splits: Sequence[Split], drawings: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The values that identify each run on a scene."""
    for split in splits:
        for drawing in drawings:
            for per_class in (1,) if drawing in ONE_POLYGON else shots:
                for seed in seeds:
                    yield {"shots": per_class, "seed": seed, "split": split, "drawing": drawing}


def _draw(scene: BenchmarkScene, *, shots: int, seed: int, split: Split, drawing: str) -> _Run:
    labels = scene.labels
    if split == "blocked":
        centres, test = draw_blocked(labels, shots, seed)
        allowed = labels.copy()
        allowed.flat[test] = 0
        return _Run(DRAWINGS[drawing](scene, centres, allowed, seed), test)
    drawn = DRAWINGS[drawing](scene, draw_shots(labels, shots, seed), labels, seed)
    return _Run(drawn, np.setdiff1d(np.flatnonzero(labels), drawn.pixels))


def _measure(
    scene: BenchmarkScene,
    features: BaselineFeatures,
    run: _Run,
    name: str,
    seed: int,
    compute: Compute,
) -> dict[str, Any]:
    """Accuracy measures of one run, as in ``results.json``."""
    labels, given = scene.labels.ravel(), run.drawing.labels.ravel()[run.drawing.pixels]
    started = time.perf_counter()
    if name in VARIANTS:
        probabilities, seconds_fit = _adapt_and_predict(scene, run, name, compute)
    else:
        from hsi_geo.tasks.benchmarking.baselines import BASELINES

        baseline = BASELINES[name]
        probabilities = baseline(features, run.drawing.pixels, given, seed)
        seconds_fit = 0.0  # fitting and mapping are one step
    seconds = time.perf_counter() - started
    order = np.unique(given)
    at_test = probabilities[run.test]
    predicted, truth = order[at_test.argmax(axis=1)], labels[run.test]
    scores = score(truth, predicted)
    bins = reliability(at_test.max(axis=1), predicted == truth)
    from sklearn.metrics import f1_score

    each = f1_score(truth, predicted, labels=order, average=None, zero_division=0.0)
    return {
        **{key: round(value, 5) for key, value in dataclasses.asdict(scores).items()},
        "f1": {str(c): round(float(value), 4) for c, value in zip(order, each, strict=True)},
        "ece": round(calibration_error(bins), 4),
        "seconds_fit": round(seconds_fit, 2),
        "seconds_map": round(seconds - seconds_fit, 2),
        "reliability": [[round(mean, 4), round(share, 4), n] for mean, share, n in bins],
    }


def _adapt_and_predict(
    scene: BenchmarkScene, run: _Run, name: str, compute: Compute
) -> tuple[npt.NDArray[np.float64], float]:
    """(H * W, K) probabilities from `adapt` and `predict`, and the seconds that `adapt` took."""
    recipe, weights = VARIANTS[name]
    quiet = SilentReporter()  # every run would send the same messages
    started = time.perf_counter()
    model = adapt(
        scene.scene,
        run.drawing.shots,
        recipe=recipe,
        weights=weights,
        compute=compute,
        reporter=quiet,
    )
    seconds = time.perf_counter() - started
    with scratch_folder() as folder:
        result = predict(
            scene.scene,
            model,
            out=folder / "map.tif",
            options=MapOptions(probabilities=True),
            compute=compute,
            reporter=quiet,
        )
        assert result.paths.probabilities is not None  # requested above
        with rasterio.open(result.paths.probabilities) as file:
            stored = file.read().reshape(file.count, -1).T
    return np.where(stored == 255, 0, stored) / 250.0, seconds


def _fill_missing(scene: BenchmarkScene) -> npt.NDArray[np.float64]:
    """All bands of the scene, with missing values replaced by the mean of the band."""
    cube = scene.scene.values.astype(np.float64)
    bad = ~np.isfinite(cube)
    nodata = stored_nodata(scene.scene)
    if nodata is not None:
        bad |= cube == nodata[:, None, None]
    if not bad.any():
        return cube
    means = np.where(bad, 0.0, cube).sum(axis=(1, 2)) / np.maximum((~bad).sum(axis=(1, 2)), 1)
    return np.where(bad, means[:, None, None], cube)


def _expand(methods: Sequence[str]) -> list[str]:
    names = [name for method in methods for name in GROUPS.get(method, [method])]
    for name in names:
        if name not in VARIANTS and name not in BASELINE_NAMES:
            known = ", ".join([*VARIANTS, *GROUPS, *SINGLE])
            like = did_you_mean(name, [*VARIANTS, *GROUPS, *BASELINE_NAMES])
            raise OptionError(f"there is no method '{name}'", hint=f"choose from {known}{like}")
    return list(dict.fromkeys(names))


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    names = ("scene", "method", "shots", "seed", "split", "drawing", "bands")
    return tuple(entry[name] for name in names)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        # Entries of version 0.1 have points and all bands.
        found = json.loads(path.read_text(encoding="utf-8"))
        entries = [{"drawing": "points", "bands": "all", **entry} for entry in found]
        for entry in entries:
            _key(entry)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFileError(
            f"'{path}' holds no results of a benchmark",
            hint="choose another folder, or give --overwrite",
        ) from error
    return list({_key(entry): entry for entry in entries}.values())


def _write(path: Path, entries: list[dict[str, Any]]) -> None:
    with atomic_outputs([path], overwrite=True) as where:
        lines = ",\n".join(json.dumps(entry) for entry in entries)
        where[path].write_text(f"[\n{lines}\n]\n", encoding="utf-8")
