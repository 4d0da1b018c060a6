"""The command line: parse and call, nothing else. A command imports what it needs when it runs, so help is instant."""

from afrd.cli.root import app, main

__all__ = ["app", "main"]
