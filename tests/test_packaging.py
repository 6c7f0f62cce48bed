"""What the project says of itself agrees: versions, floors, targets, files."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import skart

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="only skart itself is installed"
)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def runs():
    """Runs of the tests that the guide lists."""
    lines = (ROOT / "docs" / "versions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def read_yaml(name):
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def release(version):
    """Return the numbers of a version without zeros at its end."""
    numbers = [int(x) for x in re.findall(r"\d+", version)]
    while numbers[-1] == 0:
        numbers.pop()
    return numbers


def floors(requirements):
    """Return the lowest version that is allowed, by package."""
    lines = [re.sub(r"\[.*?\]", "", line.lower()) for line in requirements]
    return dict(line.split(">=") for line in lines)


def test_version_stands_in_one_place(project):
    assert "version" in project["dynamic"]
    assert str(read_yaml("CITATION.cff")["version"]) == skart.__version__
    assert re.search(
        rf"^## {re.escape(skart.__version__)}\b",
        (ROOT / "CHANGES.md").read_text("utf-8"),
        re.M,
    )


def test_citation_agrees(project):
    citation = read_yaml("CITATION.cff")
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]
    holder = citation["authors"][0]["name"].lower()
    assert holder in (ROOT / "LICENSE").read_text("utf-8")


def test_lowest_versions_are_those_that_were_tested(project, runs):
    (lowest,) = (run for run in runs if run["versions"] == "lowest")
    extras = project["optional-dependencies"]
    needed = floors([*project["dependencies"], *extras["test"]])
    for name, floor in needed.items():
        found = lowest["packages"][name]
        assert release(found)[: len(release(floor))] == release(floor), (name, found)
    for name, extra in extras.items():
        for package, floor in floors(extra).items():
            assert floor == needed.get(package, floor), f"{package} in {name}"


def test_python_versions_are_those_that_were_tested(project, runs):
    tested = {run["python"].rpartition(".")[0] for run in runs}
    named = re.findall(r":: (3\.\d+)", "\n".join(project["classifiers"]))
    assert set(named) == tested
    assert project["requires-python"] == f">={named[0]}"


def test_guide_shows_the_runs(runs):
    page = (ROOT / "docs" / "guide" / "installation.md").read_text("utf-8")
    for run in runs:
        counts = f"{run['passed']:,} passed, {run['skipped']} skipped"
        line = f"| {run['python']} | {run['versions']} |"
        assert re.search(rf"^{re.escape(line)}.*\| {counts}", page, re.M), line


def test_message_names_the_lowest_versions(project):
    text = (ROOT / "skart" / "networks" / "_keras.py").read_text("utf-8")
    for name in ("tensorflow", "scikeras"):
        assert f"'{name}>={floors(project['dependencies'])[name]}'" in text


def test_extras_of_the_guide(project):
    page = (ROOT / "docs" / "guide" / "installation.md").read_text("utf-8")
    named = set(re.findall(r"^\| `(\S+)` \| ", page, re.M))
    developers = {"bench", "docs", "release", "test", "test-slow"}
    assert named == project["optional-dependencies"].keys() - developers


def test_workflow_calls_targets_of_the_makefile():
    text = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, re.M))
    assert set(re.search(r"\.PHONY: ((?:.*\\\n)*.*)", text)[1].split()) - {"\\"} == (
        targets
    )
    jobs = read_yaml(".github/workflows/ci.yml")["jobs"]
    calls = [
        step["run"]
        for job in jobs.values()
        for step in job["steps"]
        if "run" in step and step.get("if") is None
    ]
    assert len(calls) >= len(jobs)
    for call in calls:
        assert call.split() == ["make", call.split()[1]]
        assert call.split()[1] in targets


def test_workflow_runs_the_python_versions(project):
    matrix = read_yaml(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    classifiers = "\n".join(project["classifiers"])
    for python in matrix["python"]:
        assert f":: {python}" in classifiers


@pytest.mark.parametrize(
    "form", sorted(ROOT.glob(".github/ISSUE_TEMPLATE/*.yml")), ids=lambda x: x.name
)
def test_issue_forms(form):
    content = yaml.safe_load(form.read_text("utf-8"))
    if form.name == "config.yml":
        assert content == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= content.keys()
    for part in content["body"]:
        key = "value" if part["type"] == "markdown" else "label"
        assert part["attributes"][key]


def test_security_names_tests_that_exist():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    files = re.findall(r"`(\w+/test_\w+\.py)`", text)
    assert files
    assert [name for name in files if not (ROOT / "tests" / name).exists()] == []
