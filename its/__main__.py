"""`python -m its` is the same as `its`."""

from its.cli import main

if __name__ == "__main__":
    main()
