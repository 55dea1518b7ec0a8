"""Where the command begins: `ebpftop`, and `python -m ebpftop`."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C during the imports ends it without a traceback

from ebpftop.cli import main

if __name__ == "__main__":
    main()
