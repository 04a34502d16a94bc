"""``python -m edasim`` is the command line."""

from edasim.cli import main

main()
