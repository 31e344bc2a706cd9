"""Fair comparison on labelled scenes: the field's protocol, our method, and the classical ones."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio
import shapely
import xarray as xr
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, recall_score

from hsi_geo.errors import ModelFileError, OptionError
from hsi_geo.io.benchmark_scenes import BenchmarkScene, load_benchmark_scene
from hsi_geo.io.picture import draw_benchmark
from hsi_geo.io.scene import grid_of
from hsi_geo.io.shots import Shots, make_shots
from hsi_geo.io.staging import make_folder, staged
from hsi_geo.progress import LoggingReporter, Reporter
from hsi_geo.tasks.adapt import DEFAULT_RECIPE, Recipe, adapt
from hsi_geo.tasks.baselines import BASELINES, Pixels
from hsi_geo.tasks.predict import predict

IntArray = npt.NDArray[np.int64]
Split = Literal["random", "blocked"]

#: The seeds that the few-shot literature shares (DCFSL, DEMAE).
SEEDS = (1330, 1220, 1336, 1337, 1224, 1236, 1226, 1235, 1233, 1229)

#: Our method and what is changed of it to see what each part is worth.
OURS = "hsi-geo"
_LESSON = DEFAULT_RECIPE.lesson
VARIANTS: dict[str, tuple[Recipe, str | None]] = {
    OURS: (DEFAULT_RECIPE, None),
    "linear-head": (dataclasses.replace(DEFAULT_RECIPE, method="linear"), None),
    "fine-tuning": (
        dataclasses.replace(
            DEFAULT_RECIPE, lesson=dataclasses.replace(_LESSON, target="shots", noise=(0.0,))
        ),
        None,
    ),
    "ema": (
        dataclasses.replace(
            DEFAULT_RECIPE, lesson=dataclasses.replace(_LESSON, target="ema", noise=(0.0,))
        ),
        None,
    ),
    "noise-only": (
        dataclasses.replace(DEFAULT_RECIPE, lesson=dataclasses.replace(_LESSON, target="shots")),
        None,
    ),
    "teacher-only": (
        dataclasses.replace(DEFAULT_RECIPE, lesson=dataclasses.replace(_LESSON, noise=(0.0,))),
        None,
    ),
    "no-features": (dataclasses.replace(DEFAULT_RECIPE, encoder_is_heard=False), None),
    "no-weights": (DEFAULT_RECIPE, "none"),
}

#: Names that stand for several methods.
GROUPS = {
    "pca": [name for name in BASELINES if name.startswith("pca-")],
    "noise": [name for name in BASELINES if name.startswith("noise-")],
}
DEFAULT_METHODS = (OURS, "svm", "random-forest", "logistic-regression", "pca", "noise", "auto")

#: Sides of the blocks of the blocked split, as a share of the scene's longer side.
BLOCKS_ALONG = 8

#: Bins of confidence that calibration is measured in.
BINS = 15


@dataclass(frozen=True, slots=True)
class Scores:
    """Agreement with reference pixels, each from 0 to 1 (kappa may be negative).

    Attributes:
        oa: Overall accuracy: share of pixels named right.
        aa: Average accuracy: mean over classes of the share named right.
        kappa: Cohen's kappa: agreement beyond chance.
    """

    oa: float
    aa: float
    kappa: float


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """What a benchmark wrote.

    Attributes:
        entries: As in ``results.json``.
        table: Mean and deviation by method and scene, for people.
        results: ``results.json``.
        markdown: The table with more columns.
        plot: PNG.
    """

    entries: list[dict[str, Any]]
    table: list[tuple[str, ...]]
    results: Path
    markdown: Path
    plot: Path


def score(truth: IntArray, predicted: IntArray) -> Scores:
    """Scores of (N,) predicted classes against (N,) true ones."""
    return Scores(
        oa=float(accuracy_score(truth, predicted)),
        aa=float(recall_score(truth, predicted, labels=np.unique(truth), average="macro")),
        kappa=float(cohen_kappa_score(truth, predicted)),
    )


def reliability(
    confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> list[tuple[float, float, int]]:
    """Mean confidence, share named right and number of pixels in each bin that has any."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (
            float(confidence[bins == b].mean()),
            float(right[bins == b].mean()),
            int((bins == b).sum()),
        )
        for b in np.unique(bins)
    ]


def calibration_error(bins: Sequence[tuple[float, float, int]]) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599) of `reliability`."""
    total = sum(count for _, _, count in bins)
    return sum(abs(said - was) * count for said, was, count in bins) / total


def draw_shots(labels: npt.NDArray[np.integer], per_class: int, seed: int) -> IntArray:
    """Draw the shots of one run, the way the few-shot literature does.

    Args:
        labels: (H, W) 1..K, 0 where nothing is known.
        per_class: Shots a class; a class with fewer than twice as many pixels gives half.
        seed: Of the run.

    Returns:
        (N,) flat indices, class by class.
    """
    generator = np.random.default_rng(seed)
    flat = labels.ravel()
    drawn = []
    for c in np.unique(flat[flat > 0]):
        pixels = np.flatnonzero(flat == c)
        drawn.append(generator.choice(pixels, min(per_class, len(pixels) // 2), replace=False))
    return np.concatenate(drawn)


def draw_blocked(
    labels: npt.NDArray[np.integer], per_class: int, seed: int
) -> tuple[IntArray, IntArray]:
    """Draw shots from some blocks of the scene, to be tested on the others.

    Half of the blocks that hold labels are for shots. A class that lies in none of them gets one
    of its own, which then is no longer tested on.

    Args:
        labels: (H, W) 1..K, 0 where nothing is known.
        per_class: Shots a class, at most half of its pixels in those blocks.
        seed: Of the run.

    Returns:
        Flat indices of (N,) shots and (M,) test pixels.
    """
    generator = np.random.default_rng(seed)
    side = max(1, max(labels.shape) // BLOCKS_ALONG)
    rows, cols = np.indices(labels.shape)
    blocks = ((rows // side) * (labels.shape[1] // side + 1) + cols // side).ravel()
    flat = labels.ravel()
    known = np.unique(blocks[flat > 0])
    for_shots = set(generator.permutation(known)[: len(known) // 2].tolist())
    for c in np.unique(flat[flat > 0]):
        own = np.unique(blocks[flat == c])
        if not for_shots & set(own.tolist()):
            for_shots.add(int(generator.choice(own)))
    chosen = np.isin(blocks, sorted(for_shots))
    drawn = []
    for c in np.unique(flat[flat > 0]):
        pixels = np.flatnonzero((flat == c) & chosen)
        count = max(1, min(per_class, len(pixels) // 2))
        drawn.append(generator.choice(pixels, count, replace=False))
    return np.concatenate(drawn), np.flatnonzero((flat > 0) & ~chosen)


def shots_at(scene: xr.DataArray, labels: npt.NDArray[np.integer], chosen: IntArray) -> Shots:
    """Points in the middle of some pixels, as a user would draw them.

    Args:
        scene: On the labels' grid.
        labels: (H, W) 1..K.
        chosen: (N,) flat indices of labelled pixels.

    Returns:
        The shots; classes carry the labels as the user's own integers.
    """
    grid = grid_of(scene)
    rows, cols = np.divmod(chosen, grid.width)
    t, x, y = grid.transform, cols + 0.5, rows + 0.5
    points = shapely.points(t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f)
    return make_shots(gpd.GeoSeries(points, crs=grid.crs), labels.ravel()[chosen].tolist())


def benchmark(
    out: str | os.PathLike[str],
    *,
    scenes: Sequence[str] = ("indian_pines",),
    data: str | os.PathLike[str] | None = None,
    shots: Sequence[int] = (5,),
    seeds: int = len(SEEDS),
    methods: Sequence[str] = DEFAULT_METHODS,
    splits: Sequence[Split] = ("random",),
    device: str = "auto",
    threads: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> BenchmarkResult:
    """Measure methods on labelled scenes, all on the same shots.

    A run that was stopped goes on where it was: what ``results.json`` holds is not done again.

    Args:
        out: Folder for ``results.json``, ``table.md`` and ``plot.png``, made if need be.
        scenes: Names, see `io.benchmark_scenes.LOADERS`.
        data: Folder of the scenes; Indian Pines needs none.
        shots: Shots a class, one or several numbers.
        seeds: How many of `SEEDS`.
        methods: Keys of `VARIANTS`, of `baselines.BASELINES` or of `GROUPS`.
        splits: "random", "blocked" or both.
        device: "auto", "cpu" or "cuda".
        threads: For torch on the CPU.
        overwrite: Measure anew what is there.
        reporter: Receives progress.

    Returns:
        All entries and a table.

    Raises:
        OptionError: If a scene or a method is not known.
        ModelFileError: If ``results.json`` is something else.
    """
    reporter = reporter or LoggingReporter()
    if not 1 <= seeds <= len(SEEDS):
        raise OptionError(f"{seeds} seeds were asked for", hint=f"give 1 to {len(SEEDS)}")
    names = _expand(methods)
    loaded = [load_benchmark_scene(scene, data) for scene in scenes]
    folder = Path(out)
    make_folder(folder)
    path = folder / "results.json"
    entries = [] if overwrite else _read(path)
    done = {_key(entry) for entry in entries}
    total = len(loaded) * len(shots) * seeds * len(splits) * len(names)
    count = 0
    for scene in loaded:
        pixels = Pixels(_filled(scene))
        for run in _runs(scene, shots, SEEDS[:seeds], splits):
            for name in names:
                count += 1
                if (scene.name, name, *run.key) in done:
                    continue
                entries.append(_measure(scene, pixels, run, name, device, threads))
                _write(path, entries)
                reporter.progress("benchmark", count, total)
    _write(path, entries)
    chosen = [e for e in entries if e["scene"] in scenes and e["method"] in names]
    table = summary(chosen)
    markdown, plot = folder / "table.md", folder / "plot.png"
    with staged([markdown, plot], overwrite=True) as where:
        where[markdown].write_text(_markdown(chosen), encoding="utf-8")
        draw_benchmark(where[plot], chosen, best_methods(chosen))
    return BenchmarkResult(chosen, table, path, markdown, plot)


def summary(entries: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Rows of text: a head, then a method a row with its accuracy on each scene.

    Of several numbers of shots or splits each gets a column of its own. The grids are shown as
    the best of them by hindsight.
    """
    columns = list(dict.fromkeys((e["scene"], e["shots"], e["split"]) for e in entries))
    head = ("OA in per cent", *(_title(column) for column in columns))
    rows = [head]
    for name, members in _rows(entries).items():
        cells = []
        for column in columns:
            by_method = {
                m: [100 * e["oa"] for e in entries if e["method"] == m and _column(e) == column]
                for m in members
            }
            best = max((v for v in by_method.values() if v), key=np.mean, default=None)
            cells.append("" if best is None else f"{np.mean(best):.1f} +- {np.std(best):.1f}")
        rows.append((name, *cells))
    return rows


def best_methods(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Methods for a plot: all but grids, of which the best by hindsight is kept."""
    kept = []
    for members in _rows(entries).values():
        means = {m: np.mean([e["oa"] for e in entries if e["method"] == m]) for m in members}
        kept.append(max(means, key=lambda m: float(means[m])))
    return kept


@dataclass(frozen=True, eq=False)
class _Run:
    """One draw of shots and the pixels to test on."""

    shots_per_class: int
    seed: int
    split: Split
    shots: IntArray
    test: IntArray

    @property
    def key(self) -> tuple[int, int, str]:
        return self.shots_per_class, self.seed, self.split


def _runs(
    scene: BenchmarkScene, shots: Sequence[int], seeds: Sequence[int], splits: Sequence[Split]
) -> Iterator[_Run]:
    for split in splits:
        for per_class in shots:
            for seed in seeds:
                if split == "blocked":
                    drawn, test = draw_blocked(scene.labels, per_class, seed)
                else:
                    drawn = draw_shots(scene.labels, per_class, seed)
                    test = np.setdiff1d(np.flatnonzero(scene.labels), drawn)
                yield _Run(per_class, seed, split, drawn, test)


def _measure(
    scene: BenchmarkScene,
    pixels: Pixels,
    run: _Run,
    name: str,
    device: str,
    threads: int | None,
) -> dict[str, Any]:
    labels = scene.labels.ravel()
    started = time.perf_counter()
    if name in VARIANTS:
        probabilities, seconds_fit = _map_with_ours(scene, run, name, device, threads)
    else:
        baseline = BASELINES[name]
        probabilities = baseline(pixels, run.shots, labels[run.shots], run.seed)
        seconds_fit = 0.0  # fitting and mapping are one step
    seconds = time.perf_counter() - started
    order = np.unique(labels[run.shots])
    at_test = probabilities[run.test]
    named, truth = order[at_test.argmax(axis=1)], labels[run.test]
    scores = score(truth, named)
    bins = reliability(at_test.max(axis=1), named == truth)
    each = f1_score(truth, named, labels=order, average=None, zero_division=0.0)
    return {
        "scene": scene.name,
        "method": name,
        "shots": run.shots_per_class,
        "seed": run.seed,
        "split": run.split,
        **{key: round(value, 5) for key, value in dataclasses.asdict(scores).items()},
        "f1": {str(c): round(float(value), 4) for c, value in zip(order, each, strict=True)},
        "ece": round(calibration_error(bins), 4),
        "seconds_fit": round(seconds_fit, 2),
        "seconds_map": round(seconds - seconds_fit, 2),
        "reliability": [[round(said, 4), round(was, 4), n] for said, was, n in bins],
    }


def _map_with_ours(
    scene: BenchmarkScene, run: _Run, name: str, device: str, threads: int | None
) -> tuple[npt.NDArray[np.float64], float]:
    """(H * W, K) probabilities by `adapt` and `predict`, as users run them; seconds of adapt."""
    recipe, weights = VARIANTS[name]
    shots = shots_at(scene.scene, scene.labels, run.shots)
    quiet = _Quiet()
    started = time.perf_counter()
    model = adapt(
        scene.scene,
        shots,
        recipe=recipe,
        weights=weights,
        device=device,
        threads=threads,
        reporter=quiet,
    )
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder:
        result = predict(
            scene.scene,
            model,
            out=Path(folder) / "map.tif",
            probabilities=True,
            device=device,
            threads=threads,
            reporter=quiet,
        )
        assert result.paths.probabilities is not None  # asked for above
        with rasterio.open(result.paths.probabilities) as file:
            stored = file.read().reshape(file.count, -1).T
    return np.where(stored == 255, 0, stored) / 250.0, seconds


class _Quiet:
    """Says nothing: each run would say the same."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignored."""

    def log(self, message: str) -> None:
        """Ignored."""

    def warning(self, message: str) -> None:
        """Ignored."""


def _filled(scene: BenchmarkScene) -> npt.NDArray[np.float64]:
    """All bands of the scene; pixels without data take their band's mean."""
    cube = scene.scene.values.astype(np.float64)
    bad = ~np.isfinite(cube)
    nodata = scene.scene.rio.nodata
    if nodata is not None and np.isfinite(nodata):
        bad |= cube == nodata
    if not bad.any():
        return cube
    means = np.where(bad, 0.0, cube).sum(axis=(1, 2)) / np.maximum((~bad).sum(axis=(1, 2)), 1)
    return np.where(bad, means[:, None, None], cube)


def _expand(methods: Sequence[str]) -> list[str]:
    names = [name for method in methods for name in GROUPS.get(method, [method])]
    for name in names:
        if name not in VARIANTS and name not in BASELINES:
            known = ", ".join([*VARIANTS, *GROUPS, *(b for b in BASELINES if "-g" not in b)])
            raise OptionError(f"there is no method '{name}'", hint=f"choose of {known}")
    return list(dict.fromkeys(names))


def _rows(entries: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Methods by the name of their row: a grid is one row."""
    rows: dict[str, list[str]] = {}
    for method in dict.fromkeys(e["method"] for e in entries):
        group = next((g for g, members in GROUPS.items() if method in members), None)
        title = method if group is None else f"{group}-whiten grid, best by hindsight"
        rows.setdefault(title, []).append(method)
    return rows


def _column(entry: dict[str, Any]) -> tuple[str, int, str]:
    return entry["scene"], entry["shots"], entry["split"]


def _title(column: tuple[str, int, str]) -> str:
    scene, shots, split = column
    return f"{scene}, {shots} shots" + ("" if split == "random" else f", {split}")


def _markdown(entries: Sequence[dict[str, Any]]) -> str:
    """A table for each scene, number of shots and split."""
    parts = []
    for column in dict.fromkeys(_column(e) for e in entries):
        here = [e for e in entries if _column(e) == column]
        parts += [f"## {_title(column)}", ""]
        parts += [
            "| method | OA | AA | kappa | ECE | seconds | seeds |",
            "|---|---|---|---|---|---|---|",
        ]
        for method in dict.fromkeys(e["method"] for e in here):
            own = [e for e in here if e["method"] == method]
            cells = [
                f"{100 * np.mean([e[key] for e in own]):.1f} +- {100 * np.std([e[key] for e in own]):.1f}"
                for key in ("oa", "aa", "kappa")
            ]
            ece = f"{100 * np.mean([e['ece'] for e in own]):.1f}"
            seconds = f"{np.mean([e['seconds_fit'] + e['seconds_map'] for e in own]):.1f}"
            parts.append(f"| {method} | {' | '.join(cells)} | {ece} | {seconds} | {len(own)} |")
        parts.append("")
    return "\n".join(parts)


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[key] for key in ("scene", "method", "shots", "seed", "split"))


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        for entry in entries:
            _key(entry)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFileError(
            f"'{path}' holds no results of a benchmark",
            hint="choose another folder, or give --overwrite",
        ) from error
    return list(entries)


def _write(path: Path, entries: list[dict[str, Any]]) -> None:
    with staged([path], overwrite=True) as where:
        lines = ",\n".join(json.dumps(entry) for entry in entries)
        where[path].write_text(f"[\n{lines}\n]\n", encoding="utf-8")
