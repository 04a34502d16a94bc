"""The command line. It only calls the package; bad input is one line on stderr and exit code 2."""

import errno
import os
import signal
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import typer
from typer.exceptions import Abort, Exit, TyperException

from edasim.cli import choosing, comparing, deciding, measuring, observing, reporting, scenarios, studying
from edasim.cli.output import heard
from edasim.cli.recording import record_app
from edasim.errors import InputError
from edasim.markdown import one_line


def _group(about: str | None, *commands: Callable[..., None]) -> typer.Typer:
    """Commands that stand together, each named as its function."""
    group = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=about)
    for command in commands:
        group.command()(command)
    return group


app = _group(
    __doc__,
    comparing.compare,
    comparing.sweep,
    deciding.check,
    choosing.choose,
    observing.observe,
    measuring.measure,
    reporting.report,
    reporting.validate,
    studying.tipping,
    studying.sensitivity,
    studying.warmup,
)
app.add_typer(_group(scenarios.__doc__, scenarios.new, scenarios.show, scenarios.schema), name="scenario")
app.add_typer(record_app, name="record")

INTERRUPTED = 130


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with *arguments*; the exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    try:
        with heard():
            code = _command()(args=None if arguments is None else list(arguments), prog_name="edasim", standalone_mode=False)
    except InputError as error:
        return _complain(str(error))
    except TyperException as error:
        if error.format_message().startswith("Usage:"):  # nothing was asked for: the help
            typer.echo(error.format_message(), err=True)
            return 2
        return _complain(error.format_message())
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _complain(f"{str(error.filename)[:40]}... is too long for a name of a file")
    except Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # as typer says, too
        return _complain("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


@cache
def _command() -> Callable[..., Any]:
    command: Callable[..., Any] = typer.main.get_command(app)
    return command


def _complain(message: str, code: int = 2) -> int:
    typer.echo(f"edasim: {one_line(message)}", err=True)
    return code


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """The console script."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")  # joblib's workers end with the command: nothing leaks
    signal.signal(signal.SIGTERM, _interrupt)  # ends like Ctrl-C: nothing half-written is left
    raise SystemExit(run())
