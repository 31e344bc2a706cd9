"""The machine of a measurement: nothing else may run on it, and its instructions are those that most users have."""

import os
import sys

import psutil

#: Variables that limit torch and oneDNN to the instructions of an ordinary machine. Matrix products of MKL in float32
#: know no such limit.
ORDINARY = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}

#: Most of the machine, in per cent, that other processes may take; seconds of a look, and looks before giving up.
BUSY_PERCENT, LOOK_S, LOOKS = 10.0, 2.0, 30


def limit_instructions() -> None:
    """Limit this process and those that it starts. It starts itself again, since torch reads the limits when it is imported."""
    if any(os.environ.get(name) != value for name, value in ORDINARY.items()):
        os.environ.update(ORDINARY)
        os.execv(sys.executable, [sys.executable, *sys.argv])


def instructions() -> str:
    """The limits that hold, for the text below a table."""
    limits = [f"{name}={os.environ[name]}" for name in ORDINARY if name in os.environ]
    return ", ".join(limits) or "all instructions of the processor"


def require_quiet() -> None:
    """Wait until other processes take less than a tenth of the machine, and end this program if they do not."""
    busy = 100.0
    for _ in range(LOOKS):
        busy = psutil.cpu_percent(LOOK_S)
        if busy <= BUSY_PERCENT:
            return
    sys.exit(
        f"other processes take {busy:.0f} % of the machine: no rate is printed. End them and try again"
    )
