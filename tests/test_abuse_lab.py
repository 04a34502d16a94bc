"""The lab stays this computer's own: nothing that is given to run.py opens it to others."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

RUN = Path(__file__).parents[1] / "run.py"
OPENING = (
    *(
        "--ip=0.0.0.0",
        "--ip",
        "--ServerApp.ip=*",
        "--ServerApp.token=",
        "--ServerApp.token=''",
        "--IdentityProvider.token=",
        "--NotebookApp.token=",
    ),
    *(
        "--ServerApp.password=",
        "--PasswordIdentityProvider.hashed_password=",
        "--ServerApp.allow_remote_access=True",
        "--ServerApp.allow_origin=*",
    ),
    *("--ServerApp.disable_check_xsrf=True", "--ServerApp.allow_unauthenticated_access=True", "--config=mine.py", "--i=0.0.0.0"),
)


@pytest.fixture(scope="module")
def starter() -> ModuleType:
    """run.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("starter", RUN)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("argument", OPENING)
def test_the_lab_refuses_what_would_let_others_in(starter: ModuleType, argument: str) -> None:
    with pytest.raises(starter.Refusal, match="this computer only and keeps its token") as refused:
        starter.command_line("lab", [argument])
    assert refused.value.code == 2
    assert "\n" not in str(refused.value)


def test_the_lab_takes_other_arguments_and_listens_to_this_computer(starter: ModuleType) -> None:
    line = starter.command_line("lab", ["--no-browser", "--port=8889"])
    assert line[1:] == ["lab", "--ServerApp.ip=127.0.0.1", "--no-browser", "--port=8889", "notebooks"]
