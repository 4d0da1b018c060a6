"""`python -m afrd` is the `afrd` command."""

from afrd.cli import main

main()
