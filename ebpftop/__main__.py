"""`python -m ebpftop`."""

from ebpftop.cli import main

if __name__ == "__main__":
    main()
