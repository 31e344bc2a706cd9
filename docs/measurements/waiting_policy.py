"""How long the same training takes with and without the waiting policy, alone and beside a second job.

    python docs/measurements/waiting_policy.py [ROUNDS] [--steps N] [--spin-counts N...]

A job is a process that trains an S2Former for some steps with one thread a core. It imports `hsi_geo` first, which
sets the policy, or torch first, which leaves OpenMP's own. It runs alone, or beside a second job of the same kind
that runs without end. Each round runs all of them; the table has medians over rounds, with the least and the greatest.
Other spin counts (`GOMP_SPINCOUNT`: how often GNU's OpenMP looks before a thread sleeps) than the package's are tried
on demand. Nothing else should run on the machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Policy:
    """How the threads of a job wait.

    Attributes:
        name: Shown in the table.
        imports: The first statement of the job.
        variables: Environment variables of the job.
    """

    name: str
    imports: str
    variables: Mapping[str, str] = MappingProxyType({})


POLICIES = (
    Policy("passive (`hsi_geo` first)", "import hsi_geo, torch"),
    Policy("OpenMP's own (torch first)", "import torch, hsi_geo"),
)

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
    parser.add_argument("--spin-counts", type=int, nargs="*", default=[])
    options = parser.parse_args()
    spins = [
        Policy(f"passive, {count:,} spins", "import hsi_geo, torch", {"GOMP_SPINCOUNT": str(count)})
        for count in options.spin_counts
    ]
    policies = (*POLICIES, *spins)
    seconds: dict[tuple[str, bool], list[float]] = {}
    for _ in range(options.rounds):
        for policy in policies:
            for second in (False, True):
                taken = timed(policy, options.steps, second=second)
                seconds.setdefault((policy.name, second), []).append(taken)
    print(f"{options.steps} steps, {options.rounds} rounds, {os.cpu_count()} cores: seconds\n")
    print("| waiting policy | alone | beside a second job |\n|---|---|---|")
    for name in (policy.name for policy in policies):
        print(f"| {name} | {shown(seconds[name, False])} | {shown(seconds[name, True])} |")


def timed(policy: Policy, steps: int, *, second: bool) -> float:
    """Seconds of one job, with a second one of the same policy beside it or without."""
    if not second:
        return finished(start(policy, steps))
    with endless(policy):
        return finished(start(policy, steps))


@contextmanager
def endless(policy: Policy) -> Iterator[None]:
    """A job that trains until it is no longer wanted."""
    job = start(policy, 0)
    assert job.stdout is not None
    job.stdout.readline()  # "ready"
    try:
        yield
    finally:
        job.kill()
        job.communicate()


def start(policy: Policy, steps: int) -> "subprocess.Popen[str]":
    """Begin a job without any policy of this shell's."""
    own = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    env = {**own, **policy.variables}
    command = [sys.executable, "-c", policy.imports + JOB, str(steps)]
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
