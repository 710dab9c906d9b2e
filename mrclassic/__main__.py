"""`python -m mrclassic` is `mrclassic`."""

from mrclassic.cli import main

main()
