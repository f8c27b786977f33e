"""`python -m clearscene`."""

from clearscene.cli.main import run

run()
