"""What the documents say is what the program does."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

import edasim
from edasim import PRESETS, Scenario, measure, simulate, studies
from edasim.cli import run
from edasim.metrics.names import NAMES, kind_of

ROOT = Path(__file__).parents[1]


def code_blocks(path: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / path).read_text(encoding="utf-8"), re.DOTALL)


def test_the_defaults_in_the_documents_are_the_defaults() -> None:
    assert Scenario(**yaml.safe_load(code_blocks("docs/scenario.md", "yaml")[0])) == Scenario()


def test_every_preset_is_in_the_design_with_its_three_answers() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    for name, pattern in PRESETS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        answers = [cell.strip().split(" ")[0].rstrip(",") for cell in row.split("|")[2:5]]
        assert answers == [pattern.truth, pattern.carries, pattern.reads]


def test_every_metric_is_explained() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z_0-9]+", text))
    scenario = Scenario(duration=20, warmup=0, workload={"reads": {"rate": 5}})
    patterns = ("event_notification", "event_sourcing_cqrs")
    found = {value.metric: value.unit for pattern in patterns for value in measure(simulate(scenario, pattern))}
    assert set(found) <= set(NAMES), "what may be required"
    kinds = {"share": "share", "s": "seconds", "bytes": "bytes", "bytes/s": "bytes", "bytes/day": "bytes"}
    assert {metric: kind_of(metric) for metric in found} == {metric: kinds.get(unit, "number") for metric, unit in found.items()}
    for name in NAMES:
        assert name in words or re.sub(r"_(mean|std|p\d\d)$", "_mean", name) in words, name


def test_public_names_are_complete_sorted_and_about_thirty() -> None:
    assert edasim.__all__ == sorted(edasim.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert len(edasim.__all__) <= 30
    for name in edasim.__all__:
        assert getattr(edasim, name) is not None
        assert name.isupper() or getattr(edasim, name).__doc__


@pytest.mark.parametrize(
    "line", [line for block in code_blocks("README.md", "sh") for line in block.splitlines() if line.startswith("edasim ")]
)
def test_every_edasim_command_in_the_readme_works(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    assert run(["scenario", "new", "my-system.yaml"]) == 0
    words = shlex.split(line.split("#")[0])[1:]
    if words[:2] == ["scenario", "new"]:
        assert run(["observe", "data/traces/online_retail_orders.csv.gz", "--out", "observed.yaml"]) == 0
        words[2] = "another.yaml"
    if words[0] == "compare":
        words += ["--set", "duration=30s", "--set", "warmup=0", "--replications", "2", "--jobs", "1"]
    if words[0] in ("tipping", "sensitivity", "warmup"):
        words += ["--set", "duration=5s", "--set", "warmup=0", "--set", "drain=5s", "--jobs", "1"]
    if words[0] == "report":
        pytest.skip("the report is run by tests/test_notebooks.py")
    assert run(words) == 0, capsys.readouterr().err


def test_the_python_in_the_readme_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for block in code_blocks("README.md", "python"):
        exec(compile(block.replace("replications=10", "replications=2, jobs=1"), "README.md", "exec"), {})


def test_the_list_of_studies_names_all_of_them() -> None:
    listed = set(re.findall(r"`(\w+)`", studies.__doc__ or ""))
    assert {path.stem for path in (ROOT / "edasim" / "studies").glob("*.py")} - {"__init__"} <= listed


def test_every_picture_and_page_that_the_readme_links_to_is_there_and_every_notebook_has_a_row() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [link for link in re.findall(r"\]\(([^)#]+)\)", readme) if "://" not in link and not (ROOT / link).exists()] == []
    assert [path.stem for path in (ROOT / "notebooks").glob("*.ipynb") if f"| `{path.stem}` |" not in readme] == []
