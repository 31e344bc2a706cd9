"""Random weights that other jobs of the process have no effect on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from hsi_geo.models.classifier import Classifier
from hsi_geo.models.random_weights import initialised
from hsi_geo.models.s2former_config import S2FormerConfig

CONFIG = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)


def weights_and_next(classifier: Classifier, following: torch.Tensor) -> torch.Tensor:
    """(N,) weights, and what is drawn after them."""
    parts = [value.double().ravel() for value in classifier.state_dict().values()]
    return torch.cat([*parts, following.double().ravel()])


@pytest.mark.parametrize("seed", [0, 7])
def test_weights_are_those_of_the_global_generator(seed: int) -> None:
    """Maps of a seed stay what they were when networks drew from the global one."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        expected = weights_and_next(Classifier(CONFIG, 3), torch.randint(2**40, (2,)))
    before = torch.get_rng_state()
    source = torch.Generator().manual_seed(seed)
    made = initialised(lambda: Classifier(CONFIG, 3), source)
    found = weights_and_next(made, torch.randint(2**40, (2,), generator=source))
    assert torch.equal(found, expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_jobs_beside_each_other_have_no_effect() -> None:
    def weights() -> torch.Tensor:
        source = torch.Generator().manual_seed(5)
        made = [initialised(lambda: Classifier(CONFIG, 3), source) for _ in range(10)]
        return weights_and_next(made[-1], torch.randint(2**40, (2,), generator=source))

    alone, before = weights(), torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        found = [job.result() for job in [pool.submit(weights) for _ in range(12)]]
    assert all(torch.equal(beside, alone) for beside in found)
    assert torch.equal(torch.get_rng_state(), before)
