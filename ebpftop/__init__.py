"""ebpftop: an interactive terminal dashboard for live kernel tracing."""

__version__ = "0.1.0"
