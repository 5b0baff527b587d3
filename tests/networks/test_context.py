"""Where networks are trained, and with which draws."""

import subprocess
import sys

import pytest
import torch

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.context import TrainingContext

pytestmark = pytest.mark.unit


def test_every_generator_begins_at_the_seed() -> None:
    context = TrainingContext(7, "cpu")
    first = torch.rand(4, generator=context.generator())
    assert torch.equal(torch.rand(4, generator=context.generator()), first)
    other = TrainingContext(8, "cpu").generator()
    assert not torch.equal(torch.rand(4, generator=other), first)


def test_the_device_is_looked_for_when_it_is_needed() -> None:
    assert TrainingContext(0, "cpu").torch_device() == torch.device("cpu")
    elsewhere = TrainingContext(0, "cuda:99")
    with pytest.raises(InputError, match="'cuda:99'"):
        elsewhere.torch_device()


@pytest.mark.slow
def test_it_is_known_without_torch() -> None:
    program = (
        "import sys; from fiftyone_reue.networks.context import TrainingContext; "
        "TrainingContext(0); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
