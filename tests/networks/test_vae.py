import pytest
import torch

from fiftyone_reue.networks.vae import DisentangledVae, full_vae, rate, small_vae

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("size", [15, 16])
def test_outputs_have_the_images_shape_and_the_latent_half_of_it(size):
    network = small_vae(4, size, seed=0)
    images, labels = torch.rand(3, 3, size, size), torch.tensor([0, 1, 3])
    rebuilt, perturbation, mean, log_variance = network(images, labels)
    assert rebuilt.shape == perturbation.shape == images.shape
    assert mean.shape == log_variance.shape == network.latent_shape(3)
    assert network.latent_shape(3) == (3, 64, 8, 8)
    assert rebuilt.min() > 0
    assert rebuilt.max() < 1


def test_the_full_one_is_the_papers():
    network = full_vae(2, 8, seed=0)
    assert network.latent_shape(1) == (1, 256, 4, 4)
    assert network.of_class.weight.shape == (2, 128 * 4 * 4)


def test_only_the_perturbation_knows_the_label():
    network = small_vae(2, 8, seed=0).eval()
    images = torch.rand(1, 3, 8, 8)
    first = network(images, torch.tensor([0]))
    second = network(images, torch.tensor([1]))
    assert torch.equal(first[0], second[0])
    assert not torch.allclose(first[1], second[1])


def test_noise_samples_the_latent_around_its_mean():
    network = small_vae(2, 8, seed=0).eval()
    images, labels = torch.rand(1, 3, 8, 8), torch.tensor([0])
    still = network(images, labels)
    none = torch.zeros(network.latent_shape(1))
    assert torch.equal(network(images, labels, none)[0], still[0])
    moved = network(images, labels, none + 1)
    assert not torch.allclose(moved[0], still[0])
    assert torch.equal(moved[2], still[2])


def test_the_rate_is_the_divergence_from_the_standard_normal_per_position():
    zeros = torch.zeros(2, 5, 3, 3)
    assert rate(zeros, zeros) == 0
    # Five channels, each 0.5 nats for a mean of 1.
    assert rate(zeros + 1, zeros) == pytest.approx(2.5)
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(normal(0.3, 2.0), normal(0.0, 1.0))
    log_variance = zeros + torch.tensor(2.0).log() * 2
    assert rate(zeros + 0.3, log_variance) == pytest.approx(5 * wanted.item(), 1e-5)


def test_every_weight_learns_in_channels_last():
    network = small_vae(2, 16, seed=0).to(memory_format=torch.channels_last)
    images = torch.rand(4, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    noise = torch.randn(network.latent_shape(4))
    outputs = network(images, torch.tensor([0, 1, 0, 1]), noise)
    sum(part.square().mean() for part in outputs).backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_a_seed_gives_the_same_weights():
    first, again, other = (small_vae(2, 8, seed=seed) for seed in (1, 1, 2))
    assert isinstance(first, DisentangledVae)
    assert torch.equal(first.mean.weight, again.mean.weight)
    assert not torch.equal(first.mean.weight, other.mean.weight)
