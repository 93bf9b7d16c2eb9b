"""python -m theory_checks."""

from .cli import program

if __name__ == "__main__":
    program()
