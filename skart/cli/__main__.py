"""``python -m skart.cli``."""

from skart.cli import main

main()
