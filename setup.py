"""Maps the root folders onto one importable package; everything else stands in pyproject.toml."""

from setuptools import find_packages, setup

MAPPED = {"tfhashtag.cli": "cli", "tfhashtag.serving": "serving", "tfhashtag.configs": "configs"}

subpackages = [
    f"{package}.{name}" for package, folder in MAPPED.items() for name in find_packages(folder)
]

setup(
    # Data files are those of `package_data` and no others: deployments are not taken for packages.
    include_package_data=False,
    package_dir={"tfhashtag": "tfhashtag", **MAPPED},
    packages=[*find_packages(include=["tfhashtag", "tfhashtag.*"]), *MAPPED, *subpackages],
    package_data={
        "tfhashtag": ["py.typed"],
        "tfhashtag.configs": ["*.yaml"],
        "tfhashtag.serving": ["deploy/*.yaml", "deploy/*/*.yaml", "deploy/*/*.conf"],
        "tfhashtag.export": ["*.json"],
        "tfhashtag.serving.page": ["*.html", "*.css", "*.js", "*.svg"],
        "tfhashtag.comparison": ["*.html", "*.css", "*.yaml"],
        "tfhashtag.tuning": ["*.html"],
    },
)
