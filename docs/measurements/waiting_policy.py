"""How long the same training takes with and without the waiting policy, alone and beside a second job.

    python docs/measurements/waiting_policy.py [ROUNDS] [--steps N]

A job is a process that trains an S2Former for some steps with one thread a core. It imports `hsi_geo` first, which
sets the policy, or torch first, which leaves OpenMP's own. It runs alone, or beside a second job of the same kind
that runs without end. Each round runs all four; the table has medians over rounds, with the least and the greatest.
Nothing else should run on the machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: What a job imports first, by the name of its policy.
IMPORTS = {
    "passive (`hsi_geo` first)": "import hsi_geo, torch",
    "OpenMP's own (torch first)": "import torch, hsi_geo",
}

#: Trains for as many steps as its argument tells (0: without end), and prints the seconds.
JOB = """
import sys, time
import numpy as np
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import resample_to_axis
torch.manual_seed(0)
network = S2Former(S2FormerConfig())
optimizer = torch.optim.AdamW(network.parameters())
bands = resample_to_axis(network.config, np.linspace(450, 2400, 200), np.full(200, 10.0))
image, valid = torch.randn(16, 200, 16, 16), torch.ones(16, 16, 16, dtype=torch.bool)

def step():
    optimizer.zero_grad()
    network(image, valid, bands).square().mean().backward()
    optimizer.step()

step()
print("ready", flush=True)
steps, done, started = int(sys.argv[1]), 0, time.perf_counter()
while not steps or done < steps:
    step()
    done += 1
print(time.perf_counter() - started)
"""


def main() -> None:
    """Print a table: seconds by policy, alone and beside a second job."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    parser.add_argument("--steps", type=int, default=40)
    asked = parser.parse_args()
    seconds: dict[tuple[str, bool], list[float]] = {}
    for _ in range(asked.rounds):
        for policy, imports in IMPORTS.items():
            for second in (False, True):
                taken = timed(imports, asked.steps, second=second)
                seconds.setdefault((policy, second), []).append(taken)
    cores = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    print(
        f"{asked.steps} steps, {asked.rounds} rounds, {cores} cores: median seconds (least to greatest)\n"
    )
    print("| waiting policy | alone | beside a second job |\n|---|---|---|")
    for policy in IMPORTS:
        print(f"| {policy} | {shown(seconds[policy, False])} | {shown(seconds[policy, True])} |")


def timed(imports: str, steps: int, *, second: bool) -> float:
    """Seconds of one job, with a second one of the same policy beside it or without."""
    if not second:
        return finished(start(imports, steps))
    with endless(imports):
        return finished(start(imports, steps))


@contextmanager
def endless(imports: str) -> Iterator[None]:
    """A job that trains until it is no longer wanted."""
    job = start(imports, 0)
    assert job.stdout is not None
    job.stdout.readline()  # "ready"
    try:
        yield
    finally:
        job.kill()
        job.communicate()


def start(imports: str, steps: int) -> "subprocess.Popen[str]":
    """Begin a job without any policy of this shell's."""
    env = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    command = [sys.executable, "-c", imports + JOB, str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def finished(job: "subprocess.Popen[str]") -> float:
    """Seconds that a job printed."""
    printed, _ = job.communicate()
    if job.returncode:
        raise SystemExit(f"a job ended with {job.returncode}")
    return float(printed.split()[-1])


def shown(seconds: list[float]) -> str:
    """The median, with the least and the greatest."""
    return f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"


if __name__ == "__main__":
    main()
