"""What a fingerprint hashes: names and values, not where a file lies, and no key that changes nothing."""

import types
from pathlib import Path

import yaml

from src.engine.cell import measurement as module
from src.engine.cell.measurement import measurement
from src.engine.cell.request import read_cell_request
from src.records.fingerprint import fingerprint
from tests.composing import compose_job


def folder_of(*words):
    return fingerprint(measurement(compose_job("eval", ["model=ramp", "data=sample", *words])[0]))


def test_a_class_of_ours_may_move_and_be_renamed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = folder_of()
    assert folder_of("model._target_=src.model.elsewhere.deep.Ramp") == before
    assert folder_of("protocol.metric.alignment._target_=src.elsewhere.Unaligned") == before
    assert folder_of("model._target_=src.model.families.baseline.Slope") != before
    monkeypatch.setattr(module, "_RENAMED", types.MappingProxyType({"Slope": "Ramp"}))
    assert folder_of("model._target_=src.model.families.baseline.Slope") == before


def test_a_class_from_outside_is_its_dotted_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("mine.Ramp", "theirs.Ramp", "srclike.Ramp", "src.x.Ramp")
    assert len({folder_of(f"model._target_={name}") for name in names}) == len(names)


def test_a_new_key_of_its_old_behaviour_renames_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = folder_of()
    monkeypatch.setattr(
        module, "_LATER", types.MappingProxyType({**module._LATER, "model.tilt": 0, "data.mirrored": False})
    )
    assert folder_of("+model.tilt=0", "+data.mirrored=false") == before
    assert folder_of("+model.tilt=false") != before  # another value, if Python calls it equal
    assert len({before, folder_of("+model.tilt=1"), folder_of("+data.mirrored=true")}) == 3


def test_classes_of_ours_that_configurations_name_differ_by_their_last_name():
    def targets(value):
        if isinstance(value, dict):
            own = value.get("_target_")
            yield from [own] if isinstance(own, str) and own.startswith("src.") else []
            for inner in value.values():
                yield from targets(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from targets(inner)

    files = Path(__file__).parents[3].glob("conf/**/*.yaml")
    found = {name for file in files for name in targets(yaml.safe_load(file.read_text(encoding="utf-8")))}
    assert len({name.rpartition(".")[2] for name in found}) == len(found) > 20


def test_what_is_recorded_has_the_paths_of_this_machine_and_what_is_hashed_has_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    request = read_cell_request(compose_job("eval", ["model=ramp", "data=nyu", "paths.data_dir=/fast"])[0])
    assert request.measured.resolved["data"]["root"].startswith("/fast/")
    assert request.measured.content["data"]["root"].startswith("${paths.data_dir}/")
    elsewhere = read_cell_request(compose_job("eval", ["model=ramp", "data=nyu", "paths.data_dir=/slow"])[0])
    assert elsewhere.measured.fingerprint == request.measured.fingerprint
