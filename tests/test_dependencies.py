"""The lowest versions that are tested are those that the package allows."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
#: The command `pip install` takes its older versions with several gigabytes of CUDA only.
NOT_THE_LOWEST = {"torch"}


def read_constraints():
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_the_lowest_versions_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    texts = [*project["dependencies"], *extras["gui"], *extras["lazy"], *extras["cluster"]]
    constraints = read_constraints()
    for requirement in map(Requirement, texts):
        (lower,) = [one.version for one in requirement.specifier if one.operator == ">="]
        tested = constraints.pop(requirement.name)
        if requirement.name not in NOT_THE_LOWEST:
            assert Version(tested) == Version(lower), requirement.name
    assert not constraints, "versions of packages that are no dependencies"
