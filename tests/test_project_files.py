"""The project's files agree: versions of Python, lowest releases, addresses, commands."""

from __future__ import annotations

import ast
import configparser
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from hsi_geo.cli.main import COMMANDS
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from hsi_geo import extras
from hsi_geo.extras import SOURCE

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*_*.yml"))
EXTRAS = {
    name: [Requirement(text) for text in texts]
    for name, texts in PROJECT["optional-dependencies"].items()
}
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
REQUIRED = [*CORE, *(one for name in EXTRAS if name != "all" for one in EXTRAS[name])]


def jobs(workflow: str) -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["jobs"]
    return found


def lowest_python() -> str:
    return str(PROJECT["requires-python"].removeprefix(">="))


def floor(requirement: Requirement) -> Version:
    """The release that a requirement names with ``>=``."""
    (version,) = [spec.version for spec in requirement.specifier if spec.operator == ">="]
    return Version(version)


def pins() -> dict[str, Version]:
    """Release of each package in the list of lowest releases."""
    text = (ROOT / "requirements-lowest.txt").read_text(encoding="utf-8")
    rows = re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in rows}


def test_each_python_of_the_classifiers_is_tested_on_each_system() -> None:
    matrix = jobs("tests")["tests"]["strategy"]["matrix"]
    prefix = "Programming Language :: Python :: "
    classifiers = [
        line.removeprefix(prefix)
        for line in PROJECT["classifiers"]
        if re.fullmatch(rf"{prefix}3\.\d+", line)
    ]
    assert matrix["python"] == classifiers
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "windows", "macos"}
    minors = [int(version.split(".")[1]) for version in classifiers]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert classifiers[0] == lowest_python()


def test_lowest_python_is_the_same_in_all_files() -> None:
    version = lowest_python()
    (setup,) = [step for step in jobs("tests")["lowest"]["steps"] if "with" in step]
    assert setup["with"]["python-version"] == version
    assert f"--python-version {version} " in MAKEFILE
    assert f"python{version} -m venv $(LOWEST)" in MAKEFILE
    assert SETTINGS["tool"]["ruff"]["target-version"] == "py" + version.replace(".", "")
    assert (ROOT / ".python-version").read_text(encoding="utf-8").strip() == version


@pytest.mark.parametrize("requirement", REQUIRED, ids=lambda r: str(r.name))
def test_lower_bounds_are_those_of_the_lowest_list(requirement: Requirement) -> None:
    """A bound that no set of releases reaches is never tested; `make lowest-list` writes the list."""
    assert pins()[canonicalize_name(requirement.name)] == floor(requirement)


def test_packages_that_the_library_imports_are_dependencies() -> None:
    """A package that only another one depends on is missing when that one drops it."""
    provided_by = packages_distributions()
    required = {canonicalize_name(requirement.name) for requirement in REQUIRED}
    # IPython is imported only in its own kernels.
    known = sys.stdlib_module_names | {"hsi_geo", "IPython"}
    for path in [*(ROOT / "hsi_geo").rglob("*.py"), *(ROOT / "cli").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            for name in {name.split(".")[0] for name in names} - known:
                providers = {canonicalize_name(found) for found in provided_by.get(name, [name])}
                assert providers & required, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_targets_and_groups_of_workflows_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= targets
    assert set(re.findall(r"--group (\w+)", text)) <= SETTINGS["dependency-groups"].keys()


def test_one_job_installs_all_extras_and_one_none() -> None:
    assert '--editable ".[all]" ' in str(jobs("tests")["tests"])
    assert "--editable . " in str(jobs("tests")["without-extras"])
    assert MAKEFILE.count("'.[all]'") == 3  # of `make demo`, `make test` and `make lowest`
    (everything,) = EXTRAS["all"]
    assert everything.name == PROJECT["name"]
    assert everything.extras == EXTRAS.keys() - {"all"}


def test_packages_in_errors_about_extras_are_in_these_extras() -> None:
    assert extras.EXTRAS.keys() == EXTRAS.keys() - {"all"}
    for name, packages in extras.EXTRAS.items():
        assert {*packages} <= {requirement.name for requirement in EXTRAS[name]}


#: Packages whose conda-forge name is another one.
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base", "dask": "dask-core"}

#: Pure Python, taken from PyPI: TorchGeo's wheel, and the one that holds Indian Pines.
NOT_FROM_CONDA = {"torchgeo", "tensorly"}


def test_pixi_takes_the_requirements_from_conda_forge() -> None:
    pixi = SETTINGS["tool"]["pixi"]
    conda = pixi["dependencies"] | pixi["feature"]["cpu"]["dependencies"]
    wanted = {one.name: str(one.specifier) for one in REQUIRED if one.name not in NOT_FROM_CONDA}
    found = {name: conda.get(CONDA_NAMES.get(name, name)) for name in wanted}
    assert found == wanted
    assert conda["python"] == PROJECT["requires-python"]
    # Beside them only what comes with pystac's extra, and what must fit the torch that is installed.
    assert conda.keys() - {CONDA_NAMES.get(name, name) for name in wanted} == {
        *("python", "jsonschema", "torchvision")
    }
    assert pixi["feature"]["gpu"]["dependencies"] == {"pytorch-gpu": conda["pytorch-cpu"]}
    assert pixi["pypi-dependencies"][PROJECT["name"]]["extras"] == ["all"]


def test_tasks_and_features_of_pixi_exist() -> None:
    pixi = SETTINGS["tool"]["pixi"]
    features = pixi["feature"].keys() | SETTINGS["dependency-groups"].keys()
    assert {one for used in pixi["environments"].values() for one in used} <= features
    (command,) = PROJECT["scripts"]
    assert pixi["tasks"]["demo"] == f"{command} demo"
    assert "pytest" in [Requirement(text).name for text in SETTINGS["dependency-groups"]["test"]]
    assert pixi["feature"]["test"]["tasks"]["test"]["cmd"].startswith("pytest ")


def test_install_page_has_every_extra_and_build_argument() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)} == EXTRAS.keys()
    arguments = dict(text.split("=", 1) for word, text in dockerfile() if word == "ARG")
    named = dict(re.findall(r"^\| `([A-Z]+)=(\S+)` \|", page, re.MULTILINE))
    assert named == {name: arguments[name] for name in named}
    assert arguments.keys() - named.keys() == {"TORCH_INDEX"}  # for mirrors


def test_page_leaves_out_what_torch_starts_without() -> None:
    """Of packages that were measured; their list changes with torch's releases."""
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"printf '%s\\n' (.*) > left-out.txt", page)
    measured = (ROOT / "docs" / "results" / "install_left_out.md").read_text(encoding="utf-8")
    starts = set(re.findall(r"^\| ([\w-]+) \|.*\| starts \|$", measured, re.MULTILINE))
    assert {*line.split()} == starts - {"cuda-toolkit"}  # that is empty, and names the others


def dockerfile() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with their arguments; continued lines are joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines()]


def test_dockerfile_agrees_with_the_project() -> None:
    found = dockerfile()
    defaults = dict(text.split("=", 1) for word, text in found if word == "ARG" and "=" in text)
    assert defaults["EXTRAS"] in EXTRAS
    assert defaults["TORCH"] == "cpu"
    tested = jobs("tests")["tests"]["strategy"]["matrix"]["python"]
    assert defaults["PYTHON"] in tested
    images = [text.split()[0] for word, text in found if word == "FROM"]
    assert images == ["python:${PYTHON}-slim"] * 2
    (command,) = PROJECT["scripts"]
    last = dict(found)  # of repeated instructions the last one
    assert last["ENTRYPOINT"] == f'["{command}"]'
    assert last["USER"] == "analyst"
    assert [word for word, _ in found].index("USER") > [word for word, _ in found].index("COPY")


def test_image_is_built_from_what_the_package_needs() -> None:
    """Sources that .dockerignore leaves out are missing from the wheel in the image."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    settings = SETTINGS["tool"]["setuptools"]
    folders = {name.split(".")[0] for name in settings["packages"]}
    folders |= {*settings["package-dir"].values()}
    assert kept == folders | {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]}
    assert all((ROOT / name).exists() for name in kept)


def test_release_publishes_after_the_tests_and_has_the_plugin() -> None:
    steps = jobs("release")
    assert steps["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert {"tests", "build"} <= set(steps["publish"]["needs"])
    assert steps["publish"]["permissions"] == {"id-token": "write"}
    assert "build/hsi_geo_qgis.zip" in str(steps["build"]["steps"])


def test_address_is_the_same_in_all_files() -> None:
    urls = PROJECT["urls"]
    home = urls["Homepage"]
    assert all(url.startswith(home) for url in urls.values())
    assert f"git+{home}" == SOURCE
    plugin = configparser.ConfigParser(interpolation=None)
    plugin.read(ROOT / "qgis_plugin" / "hsi_geo_qgis" / "metadata.txt", encoding="utf-8")
    general = plugin["general"]
    assert (general["homepage"], general["repository"], general["tracker"]) == (
        home,
        home,
        urls["Issues"],
    )


def test_citation_agrees_with_the_project() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["repository-code"] == PROJECT["urls"]["Homepage"]
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert citation["abstract"] == PROJECT["description"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.stem)
def test_commands_in_templates_exist(path: Path) -> None:
    named = re.findall(r"`hsi-geo ([a-z]+)", path.read_text(encoding="utf-8"))
    assert set(named) <= set(COMMANDS)
