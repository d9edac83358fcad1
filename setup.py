"""The configuration ships with the package: `conf` beside `src` in a checkout is `src/conf` where it is installed."""

from pathlib import Path

from setuptools import find_packages, setup

CONF = Path("conf")
FOLDERS = [CONF, *sorted(place for place in CONF.rglob("*") if place.is_dir())]

setup(
    packages=[*find_packages(include=["src", "src.*"]), *(".".join(("src", *place.parts)) for place in FOLDERS)],
    package_dir={"src.conf": "conf"},
)
