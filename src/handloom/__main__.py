"""``python -m handloom``: the command line."""

from handloom.cli import main

if __name__ == "__main__":
    main()
