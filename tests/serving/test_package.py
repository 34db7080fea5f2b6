"""What `setup.py` declares covers every file that `tfhashtag serve` and its deployments need."""

import pathlib
import runpy

import pytest
import setuptools

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def declared():
    """The arguments that setup.py hands over."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(setuptools, "setup", found.update)
        runpy.run_path(str(ROOT / "setup.py"))
    return found


def shipped(declared):
    """Installed path to path in the tree, of all modules and data files."""
    found = {}
    for package in declared["packages"]:
        top, folder = max(
            (pair for pair in declared["package_dir"].items()
             if package == pair[0] or package.startswith(pair[0] + ".")),
            key=lambda pair: len(pair[0]),
        )  # fmt: skip
        source = ROOT.joinpath(folder, *package.removeprefix(top).split("."))
        patterns = ["*.py", *declared["package_data"].get(package, [])]
        for path in (path for pattern in patterns for path in source.glob(pattern)):
            inside = package.replace(".", "/") + "/" + path.relative_to(source).as_posix()
            found[inside] = path
    return found


@pytest.mark.parametrize("part", ["serving", "cli", "configs", "tfhashtag"])
def test_every_file_of_the_tree_is_in_the_wheel(declared, part):
    tree = {path for path in (ROOT / part).rglob("*")
            if path.is_file() and path.suffix != ".pyc"}  # fmt: skip
    assert tree - set(shipped(declared).values()) == set()


def test_deployments_and_their_places(declared):
    found = shipped(declared)
    for name in (
        "serving/server.py", "serving/rest/rest_server.py", "serving/deploy/compose.yaml",
        "serving/deploy/envoy/envoy.yaml", "serving/deploy/nginx/nginx.conf",
        "serving/deploy/kubernetes/deployment.yaml", "cli/serve.py", "py.typed",
    ):  # fmt: skip
        assert f"tfhashtag/{name}" in found


def test_a_build_takes_no_deployment_for_a_package(declared):
    """It would warn of each folder of data files that could be imported."""
    assert declared["include_package_data"] is False
