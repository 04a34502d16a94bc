"""``python -m edasim``, and the script ``edasim``: the command line, which says in one line that it was interrupted from the beginning on.

Its imports take most of a second. Until they are done nothing was begun that would have to be undone, so a signal ends the process at
once: as an exception it might come up inside somebody's module and be taken for one that could not be imported.
"""

import os
import signal


def main() -> None:
    """The console script."""
    usual = signal.getsignal(signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as after nohup
            signal.signal(number, _end)
    from edasim.cli import main as command_line

    signal.signal(signal.SIGINT, usual)
    command_line()


def _end(signum: int, frame: object) -> None:
    os.write(2, b"edasim: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
