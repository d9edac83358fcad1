from pathlib import Path

import pytest
import yaml

from src.core.errors import RecordsError
from src.records.published import PublishedNumber, published_numbers
from src.records.reproduction import PaperTable, PrintedColumn, PrintedModel, paper_tables, reruns, tolerance

CONF = Path(__file__).parents[2] / "conf"
TABLES = paper_tables()
NUMBERS = published_numbers()


def exists(group: str, name: str) -> bool:
    return (CONF / group / f"{name}.yaml").is_file()


def sweep(experiment: str) -> dict[str, list[str]]:
    params = yaml.safe_load((CONF / "experiment" / f"{experiment}.yaml").read_text())["hydra"]["sweeper"]["params"]
    return {key: str(value).strip("[]").split(",") for key, value in params.items()}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_names_what_exists_and_finds_what_is_printed(table: PaperTable):
    for model in table.models:
        assert all(exists("model", name) for name in model.names)
        assert any(table.printed(model, column, NUMBERS) for column in table.columns), model.checkpoint
    for column in table.columns:
        assert exists("data", column.data)
        assert exists("protocol", column.protocol)
        assert any(table.printed(model, column, NUMBERS) for model in table.models), column.dataset
    assert not set(table.absent) & {column.dataset for column in table.columns}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_cell_answers_to_two_numbers(table: PaperTable):
    claimed = [
        (
            name,
            sorted(model.settings.items()),
            column.resolution or model.resolution,
            column.data,
            column.protocol,
            metric,
        )
        for model in table.models
        for column in table.columns
        for metric in table.printed(model, column, NUMBERS)
        for name in model.names
    ]
    assert len({str(one) for one in claimed}) == len(claimed)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_its_experiments_run_every_cell_of_it(table: PaperTable):
    """Model, data, protocol, resolution and settings: each printed number has a job in a sweep that measures it."""
    sweeps = [sweep(experiment) for experiment in table.experiments]
    for model in table.models:
        for column in table.columns:
            if not table.printed(model, column, NUMBERS):
                continue
            assert any(_runs(params, model, column) for params in sweeps), (model.checkpoint, column.data)


@pytest.mark.parametrize("experiment", sorted({name for table in TABLES for name in table.experiments}))
def test_an_experiment_measures_nothing_that_no_table_prints(experiment):
    printed = {
        (name, column.data)
        for table in TABLES
        if experiment in table.experiments
        for model in table.models
        for column in table.columns
        if table.printed(model, column, NUMBERS)
        for name in model.names
    }
    swept = sweep(experiment)
    assert {(model, data) for model in swept["model"] for data in swept["data"]} <= printed


def test_every_other_experiment_fills_a_table():
    named = {name for table in TABLES for name in table.experiments}
    without = {"demo", "depth_anything_v2_metric"}  # what the latter's authors print is of other weights
    assert named == {path.stem for path in (CONF / "experiment").glob("*.yaml")} - without


def _runs(params: dict[str, list[str]], model: PrintedModel, column: PrintedColumn) -> bool:
    given = {key.removeprefix("model."): values for key, values in params.items() if key.startswith("model.")}
    own = yaml_of(model.names[0])
    return (
        bool(set(model.names) & set(params["model"]))
        and column.data in params["data"]
        and column.protocol in params["protocol"]
        and (column.resolution or model.resolution) in params.get("resolution", ["default"])
        and all(str(value) in given.get(key, [str(own.get(key))]) for key, value in model.settings.items())
    )


def yaml_of(name: str) -> dict[str, object]:
    content = yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text())
    inherited = {}
    for parent in content.pop("defaults", []):
        if parent != "_self_":
            inherited |= yaml_of(parent)
    return inherited | content


def test_every_number_of_the_tables_is_counted():
    counts = {
        table.name: sum(len(table.printed(m, c, NUMBERS)) for m in table.models for c in table.columns)
        for table in TABLES
    }
    assert counts["midas_v31"] == 15 * 6
    assert counts["zoedepth"] == 6 * 2 + 2 + 6 * 2 * 8
    assert counts["marigold_cvpr"] == 2 * 5 * 2
    assert counts["depth_anything_v2"] == 3 * 5 * 2


def test_a_table_that_leaves_a_choice_is_refused():
    number = NUMBERS[0]
    table = PaperTable(
        name="t", title="", paper=number.paper, experiments=(), absent={},
        models=(PrintedModel(names=("x",), checkpoint=number.checkpoint),),
        columns=(PrintedColumn(dataset=number.dataset, data="y", protocol=number.protocol),),
    )  # fmt: skip
    with pytest.raises(RecordsError, match=r"t\.toml: expected one .* name a split in the column"):
        table.printed(table.models[0], table.columns[0], [number, number])


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "t.toml").write_text('title = "x"\n')
    with pytest.raises(RecordsError, match=r"t\.toml: expected title, paper, experiments"):
        paper_tables(tmp_path)


def test_reruns_name_what_exists():
    for one in reruns():
        assert exists("model", one.model)
        assert exists("protocol", one.protocol)
        assert exists("data", one.data) or one.data.startswith("moge_")
    assert len(reruns()) == 20


def test_damaged_reruns_are_named(tmp_path):
    (tmp_path / "r.csv").write_text("model,value,reached\nx,1,perhaps\n")
    with pytest.raises(RecordsError, match=r"r\.csv: expected the columns model, data"):
        reruns(tmp_path / "r.csv")


def of(paper: str, checkpoint: str, dataset: str, metric: str) -> PublishedNumber:
    (found,) = [
        one
        for one in NUMBERS
        if (one.paper, one.checkpoint, one.dataset, one.metric) == (paper, checkpoint, dataset, metric)
    ]
    return found


def allowed(number: PublishedNumber, unit: str = "fraction"):
    return tolerance(number, unit=unit, numbers=NUMBERS, others=reruns())


def test_tolerance_is_what_others_differ_by_on_the_same_data_set():
    """Depth Anything V2 on NYU: 0.0510, 0.0456, 0.0428 measured against 0.053, 0.049, 0.045 printed."""
    number = of("depth_anything_v2", "depth-anything/Depth-Anything-V2-Large", "nyu", "abs_rel")
    found = allowed(number)
    assert found.relative == pytest.approx((0.049 - 0.0456) / 0.049)
    assert found.value == pytest.approx(0.0005 + found.relative * 0.045)
    assert found.because == "3 re-run(s) of others on this data set"


def test_tolerance_of_a_share_is_relative_to_what_it_lacks():
    number = of("depth_anything_v2", "depth-anything/Depth-Anything-V2-Large", "nyu", "delta1")
    assert allowed(number).value == pytest.approx(0.0005 + (0.049 - 0.0456) / 0.049 * (1 - 0.979))


def test_tolerance_of_a_number_in_another_unit():
    """Marigold prints 9.9 %: half a unit of the last digit is 0.0005 as a fraction."""
    number = of("marigold", "prs-eth/marigold-depth-v1-0 [steps=50, ensemble=10]", "kitti", "abs_rel")
    found = allowed(number)
    assert found.relative == pytest.approx(abs(0.0992 - 0.099) / 0.099)
    assert found.value == pytest.approx(0.0005 + abs(0.0992 - 0.099))
    assert allowed(number, "percent").value == pytest.approx(100 * found.value)


def test_tolerance_where_nobody_tried():
    found = allowed(of("zoedepth", "ZoeD_M12_N.pt", "nyu", "rmse"), "m")
    assert found.because.startswith("upper quartile of ")
    assert 0.01 < found.relative < 0.06
    assert found.value == pytest.approx(0.0005 + found.relative * 0.27), "0.270 is printed with three decimals"
