"""The one shape that every perturbation method has.

A method is fitted once a dataset (or needs no fitting), and then gives each image
a small integer pattern. The pattern is stretched over the image by whole cells
(:func:`fiftyone_reue.media.expand.expand`) and kept in the image's record, so that
taking it away again needs neither a network nor floating point.

Some methods look at the image as well. For measuring, where all images are there at
once, :meth:`Method.perturb` does what a method's paper does: it fits on the images and
perturbs these very images.
"""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from fiftyone_reue.arrays import read_arrays
from fiftyone_reue.errors import InputError
from fiftyone_reue.invertible.working import levels_for
from fiftyone_reue.media.expand import expand
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.options import Option, options_of
from fiftyone_reue.perturb.class_map import ClassMap
from fiftyone_reue.prf import KEY_SIZE, derive, keystream
from fiftyone_reue.progress import finish, mapped

_PORTION = 1 << 16  # samples that a cache holds

MOST_STATE_BYTES = 64 << 20
"""What a state's arrays may take, many times what any method keeps."""

MOST_SEEN = 1 << 20
"""Pixels of an image, as a method's network sees it: it takes about 1 GB for them."""


@dataclass(frozen=True)
class MethodInfo:
    """What a user must know of a method before choosing it.

    Attributes:
        name: the registry's key.
        title: a few words for a menu.
        paper: where it comes from.
        needs_fit: whether :meth:`Method.fit` looks at the images.
        uses_gpu: whether a GPU makes fitting, or perturbing an image, faster.
        cost: what fitting costs, in words.
        bounded: whether every change stays within the amplitude. Only such methods
            make releases; the others are there to be measured against.
        variety: what the perturbation differs by: "class", "class and sample" (keyed
            draws around a class) or "sample" (made for the image).
        least_classes: the fewest classes that it can be made for; at least 2 of what
            is fitted.
        regions: whether the objects of one image can each have their own class's
            change, see :meth:`Method.by_region`.
        fit_side: the longest side, in pixels, of images to fit on.
        fit_images: how many of them a fit is given at most.
    """

    name: str
    title: str
    paper: str
    needs_fit: bool
    uses_gpu: bool
    cost: str
    bounded: bool = True
    variety: str = "class"
    least_classes: int = 1
    regions: bool = False
    fit_side: int = 64
    fit_images: int = 4000


@dataclass(frozen=True)
class FitData:
    """Images to fit on, already at the method's working size.

    Attributes:
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64, indices into ``classes``.
        classes: the class names, sorted.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class FitOptions:
    """What every fit takes besides its images.

    Example::

        from fiftyone_reue.perturb.base import FitOptions, fit_data
        from fiftyone_reue.progress import finish

        options = FitOptions(amplitude=6, seed=0, key=bytes(32))
        steps = create_method("lsp").fit(fit_data(images, labels), options)
        print(finish(steps).tables.shape)

    Attributes:
        amplitude: the largest change of a sample, gray levels, 1 to 127.
        seed: of everything random that need not be secret.
        key: 32 bytes, of everything random that must be; never in the repr.
        device: "auto", "cpu" or a torch device.
    """

    amplitude: int
    seed: int
    key: bytes = field(repr=False)
    device: str = "auto"

    def secret_seed(self, purpose: str) -> int:
        """A seed that nobody without the key can repeat a fit from; 56 bits.

        Args:
            purpose: what is drawn by it, such as the method's name.
        """
        drawn = derive(self.key, f"{purpose}-fit", str(self.seed))
        return int.from_bytes(drawn[:7], "big")

    def training(self, purpose: str) -> TrainingContext:
        """For training a network, with draws from :meth:`secret_seed`."""
        return TrainingContext(self.secret_seed(purpose), self.device)

    def sample_key(self, index: int) -> bytes:
        """The sample key of an image where :meth:`Method.perturb` draws it, 32 bytes.

        Args:
            index: of the image among those that are perturbed.
        """
        return derive(self.key, "perturb", str(self.seed), str(index))


@dataclass(frozen=True)
class State:
    """What fitting leaves, enough to perturb any image of the known classes.

    Attributes:
        method: the method's registry key.
        classes: the class names that the tables' first axis stands for.
        arrays: whatever the method keeps, by name; small, since it is stored
            encrypted in the ledger (4 MB at most). The name ``about`` is taken.
        summary: figures worth showing (seconds, surrogate accuracy ...).
        built: what a method has made of the arrays and will need again, such as a
            network, by a key of its own; neither stored nor compared.
    """

    method: str
    classes: tuple[str, ...]
    arrays: dict[str, np.ndarray]
    summary: dict[str, Any] = field(default_factory=dict)
    built: dict[object, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __reduce__(self) -> tuple[type[State], tuple[Any, ...]]:
        # What was built is built anew where it is needed, on other processors too.
        return State, (self.method, self.classes, self.arrays, self.summary)

    @property
    def tables(self) -> np.ndarray:
        """``(classes, variants, h, w, c)`` int8 in gray levels, c 1 or 3, of those
        methods that have class tables."""
        return self.arrays["tables"]

    def to_bytes(self) -> bytes:
        """The state as bytes, for sealing."""
        about = json.dumps(
            {"method": self.method, "classes": self.classes, "summary": self.summary}
        )
        buffer = io.BytesIO()
        np.savez_compressed(buffer, about=np.array(about), **self.arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> State:
        """What :meth:`to_bytes` was called on.

        Raises:
            DamagedRecordError: it can't be read, or would take too much memory.
        """
        arrays = read_arrays(data, MOST_STATE_BYTES)
        about = json.loads(str(arrays.pop("about")))
        return State(about["method"], tuple(about["classes"]), arrays, about["summary"])


@dataclass(frozen=True)
class NoConfig:
    """Of methods that have no option."""


class Method(ABC):
    """A perturbation method; stateless, everything fitted is in a State.

    A subclass says what it is (``info``) and what can be set (``Config``, a frozen
    dataclass with :func:`fiftyone_reue.options.option` fields), and implements
    :meth:`fit` and :meth:`pattern`.
    """

    info: MethodInfo
    Config: ClassVar[type] = NoConfig

    def __init__(self, config: Any = None) -> None:
        self.config = self.Config() if config is None else config

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """What can be set, by :func:`fiftyone_reue.perturb.registry.create_method`."""
        return options_of(cls.Config)

    def identity(self, classes: Sequence[str]) -> tuple[str, ...]:
        """What a fit depends on besides amplitude, seed, key, classes and images.

        Fits are kept and used again by it. It is empty for a method as it comes, unless
        what the method fits has changed since another version.

        Args:
            classes: the class names, sorted.

        Raises:
            InputError: an option can't be used with these classes.
        """
        changed = self.changed_options()
        return (json.dumps(changed, sort_keys=True),) if changed else ()

    def changed_options(self) -> dict[str, Any]:
        """The options that aren't as the method comes, as JSON takes them.

        Of a folder only that there is one: where it was says nothing later.
        """
        usual = type(self)().config
        changed = {}
        for one in self.options():
            value = getattr(self.config, one.name)
            if value != getattr(usual, one.name):
                changed[one.name] = True if one.kind == "folder" else value
        return json.loads(json.dumps(changed))

    @classmethod
    def as_published(cls) -> Method:
        """The method at its paper's expense, for a GPU.

        What :func:`fiftyone_reue.perturb.registry.create_method` makes is sized for a
        processor where the two differ.
        """
        return cls()

    @abstractmethod
    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Make the state for these classes, step by step.

        A generator: it yields the fraction done, 0 to 1, and returns the state.
        Closing it stops the fit.

        Args:
            data: the owner's images; a method without fitting reads its classes.
            options: the amplitude, seed, key and device.
        """

    @abstractmethod
    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """Make one image's pattern.

        Args:
            state: what :meth:`fit` returned.
            image: ``(H, W, colours)`` uint8 or uint16, colours 1 or 3, any size.
            label: the image's class, one of ``state.classes``.
            sample_key: at least 32 pseudo-random bytes of this release and sample.

        Returns:
            ``(h, w, c)`` in gray levels, c 1 or ``colours``; int8, or int16 from a
            method that isn't bounded or is invertible.

        Raises:
            InputError: the class is not among those fitted.
        """

    def by_region(self, regions: ClassMap) -> Method:
        """The method for one image that has several classes, each in its own region.

        What it returns is given that image alone; the label that it is given with it
        doesn't matter.

        Args:
            regions: where which class is, all of them among those fitted.

        Raises:
            InputError: the method makes its change for a whole image.
        """
        raise InputError(
            f"Method {self.info.name!r} makes its change for a whole image, not for "
            "each object in it; choose rue, or perturb whole images by the class that "
            "covers the most of them (--whole-images)"
        )

    def perturb(
        self,
        images: np.ndarray,
        labels: Sequence[Any] | np.ndarray,
        *,
        epsilon: int = 8,
        seed: int = 0,
        key: bytes = bytes(32),
        device: str = "auto",
    ) -> np.ndarray:
        """Perturb images in memory, as the method's paper does: for experiments.

        There is no watermark in them, no record, and no way back but by the originals.

        Example::

            from fiftyone_reue import create_method

            method = create_method("em", rounds=20)
            protected = method.perturb(images, labels, epsilon=8, seed=0)

        Args:
            images: ``(N, S, S, 3)`` uint8.
            labels: N classes, whole numbers or names.
            epsilon: the largest change of a sample in gray levels, 1 to 127.
            seed: of everything random that need not be secret.
            key: 32 bytes, of everything random that must be; the default is nobody's
                secret.
            device: "auto", "cpu" or a torch device.

        Returns:
            ``(N, S, S, 3)`` uint8.

        Raises:
            InputError: images, labels, epsilon or key can't be used.
        """
        data = fit_data(images, labels)
        if not 1 <= epsilon <= 127:
            raise InputError(
                f"An epsilon of {epsilon} is out of range; choose 1 to 127 gray levels"
            )
        if not isinstance(key, bytes) or len(key) < KEY_SIZE:
            raise InputError(
                f"A key is {KEY_SIZE} bytes that are hard to guess; give "
                f"`secrets.token_bytes({KEY_SIZE})`, and keep them to repeat this"
            )
        return finish(self.perturb_steps(data, FitOptions(epsilon, seed, key, device)))

    def perturb_steps(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, np.ndarray]:
        """Fit on these images and perturb these very images.

        A generator as :meth:`fit` is, with the same arguments. Methods that make the
        noise of all images together, or can make it faster in batches, override it.

        Returns:
            ``(N, S, S, 3)`` uint8, the perturbed images.
        """
        steps = self.fit(data, options)
        state = yield from mapped(steps, lambda fraction: 0.9 * fraction)
        size = data.images.shape[1]
        perturbed = np.empty_like(data.images)
        for index, image in enumerate(data.images):
            label = data.classes[data.labels[index]]
            pattern = self.pattern(state, image, label, options.sample_key(index))
            perturbed[index] = clipped(image, expand(pattern, size, size))
            yield 0.9 + 0.1 * (index + 1) / len(data.images)
        return perturbed


def fit_data(images: np.ndarray, labels: Sequence[Any] | np.ndarray) -> FitData:
    """Arrays as a fit takes them.

    Args:
        images: ``(N, S, S, 3)`` uint8.
        labels: N classes, whole numbers or names.

    Raises:
        InputError: they are of another shape or type, or of another number.
    """
    images = np.asarray(images)
    square = images.ndim == 4 and images.shape[1] == images.shape[2]
    if not square or images.shape[3] != 3 or images.dtype != np.uint8:
        raise InputError(
            f"Images of shape {images.shape} and type {images.dtype} can't be "
            "perturbed; give (N, S, S, 3) uint8"
        )
    names = [str(label) for label in np.asarray(labels).tolist()]
    if len(names) != len(images):
        raise InputError(
            f"{len(images)} images have {len(names)} labels; give one label an image"
        )
    if not names:
        raise InputError("There is no image to perturb")
    classes = tuple(sorted(set(names)))
    index = {name: number for number, name in enumerate(classes)}
    return FitData(images, np.array([index[name] for name in names]), classes)


class InvertibleMethod(Method):
    """A method that computes its change of an image away again.

    It looks at every sample, so its change is too varied to keep in a record. What the
    record keeps instead is the ``secret``, and where the result had to be cut off.

    Both directions must give the same integers on every machine: see
    :mod:`fiftyone_reue.invertible.exact`.
    """

    smallest_side: int = 16
    """Images with a shorter side than this can't be moved."""

    longest: int | None = None
    """The shorter side, up to which images are seen at their own size; those with a
    longer one are halved until they fit. None for methods without a network."""

    def takes(self, height: int, width: int) -> bool:
        """Whether images of this size can be moved, in memory that there is."""
        if min(height, width) < self.smallest_side:
            return False
        if self.longest is None:
            return True
        levels = levels_for(height, width, self.longest)
        return (height >> levels) * (width >> levels) <= MOST_SEEN

    @abstractmethod
    def secret(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> bytes:
        """What :meth:`move` and :meth:`undo` need besides the image.

        It is sealed for the recipient, and nothing else is known when restoring: the
        amplitude, the class and the weights' name are in it, or follow from it.

        Args:
            state: what :meth:`fit` returned.
            image: ``(H, W, colours)`` uint8, what is to be moved; a method that makes
                something of its own for each image looks at it.
            label: the image's class, one of ``state.classes``.
            sample_key: at least 32 pseudo-random bytes of this release and sample.

        Raises:
            InputError: the class is not among those fitted.
        """

    @abstractmethod
    def move(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        """Change an image.

        Args:
            secret: what :meth:`secret` returned.
            image: ``(H, W, colours)`` uint8, colours 1 or 3, H and W at least
                ``smallest_side``.

        Returns:
            ``(H, W, colours)`` int16, neither within the amplitude nor within 0..255
            in every sample.
        """

    @abstractmethod
    def undo(self, secret: bytes, moved: np.ndarray) -> np.ndarray:
        """Find the image again.

        Args:
            secret: as for :meth:`move`.
            moved: ``(H, W, colours)`` int16, what :meth:`move` returned.

        Returns:
            ``(H, W, colours)`` int16, the image that was moved, but for a few samples
            that the record corrects.

        Raises:
            DamagedRecordError: the secret can't be read.
        """

    @abstractmethod
    def amplitude(self, secret: bytes) -> int | None:
        """The largest change of a sample in gray levels, None without a bound."""

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """The change that is left when it is cut off; see :class:`Method`.

        Returns:
            ``(H, W, colours)`` int16 of the image's own size.
        """
        small = eight_bit(image)
        secret = self.secret(state, small, label, sample_key)
        moved = self.move(secret, small)
        return bounded(moved, small, self.amplitude(secret)) - small.astype(np.int16)


class SteppedMethod(Method):
    """A method whose pattern can be told again from the protected image.

    It is made in steps. Each changes some of the pixels, by what it sees in others that
    it leaves alone; so it sees the same before and after, and the steps are taken away
    again in the opposite order, exactly. A record keeps the ``secret`` alone.

    Steps must be the same integers on every machine.
    """

    steps: ClassVar[int]
    """How many there are."""

    @abstractmethod
    def secret(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> bytes | None:
        """What :meth:`step` needs besides the image.

        It is sealed for the recipient, and nothing else is known when restoring.

        Args:
            state: what :meth:`fit` returned.
            image: ``(H, W, colours)`` uint8 or uint16, what is to be changed.
            label: the image's class, one of ``state.classes``.
            sample_key: at least 32 pseudo-random bytes of this release and sample.

        Returns:
            None where this image gets :meth:`pattern` in one go, to be kept as it is.

        Raises:
            InputError: the class is not among those fitted.
        """

    def block_secret(
        self,
        state: State,
        image: np.ndarray,
        sides: tuple[int, int],
        label: str,
        sample_key: bytes,
    ) -> bytes | None:
        """What :meth:`step` needs of a JPEG, whose blocks can only be changed whole.

        Steps with this secret change some of the blocks of 8 x 8 pixels, by what they
        see in others; no block is changed by two.

        Args:
            state: what :meth:`fit` returned.
            image: ``(H, W, 1 or 3)`` uint8, whole blocks of luma, or of red, green and
                blue.
            sides: height and width of the picture, which the last blocks reach beyond.
            label: the image's class, one of ``state.classes``.
            sample_key: at least 32 pseudo-random bytes of this release and sample.

        Returns:
            None where this image gets :meth:`pattern`, and by default.

        Raises:
            InputError: the class is not among those fitted.
        """
        return None

    @abstractmethod
    def step(self, secret: bytes, number: int, image: np.ndarray) -> np.ndarray:
        """What one step adds.

        Args:
            secret: what :meth:`secret` returned.
            number: 0 to ``steps`` - 1.
            image: ``(H, W, colours)`` uint8 or uint16, after the steps before this one
                and, going backwards, with this one as well.

        Returns:
            ``(h, w, 1)`` int8 in gray levels, 0 in every pixel that was looked at.

        Raises:
            DamagedRecordError: the secret can't be read, or isn't for such an image.
        """

    @abstractmethod
    def likely(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        """What all steps together have most likely added, in an image that was changed.

        To take away step after step would carry errors from one to the next.

        Args:
            secret: what :meth:`secret` returned.
            image: ``(H, W, colours)`` uint8 or uint16, what the protected one became.

        Returns:
            ``(h, w, 1)`` int8 in gray levels.

        Raises:
            DamagedRecordError: the secret can't be read, or isn't for such an image.
        """


class Expander(Protocol):
    """What makes a JPEG's coefficients larger, and tells what they were.

    Both ways must give the same integers on every machine. A level says of each block
    by how much it is limited: the higher it is, the less is changed, and at 255
    nothing.
    """

    def expanded(
        self, blocks: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """Other coefficients.

        Args:
            blocks: ``(rows, columns, 8, 8)`` integers, quantised luma.
            steps: ``(8, 8)`` uint16, of the quantisation.
            levels: ``(rows, columns)`` uint8.

        Returns:
            As the blocks, int32; it may be out of what a file can say.
        """

    def contracted(
        self, blocks: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """Undo :meth:`expanded`; the arguments are the same.

        Raises:
            DamagedRecordError: nothing gives these coefficients.
        """

    def likely(
        self, luma: np.ndarray, steps: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """What was most likely added, told from an image that was changed since.

        Args:
            luma: ``(rows, columns, 8, 8)`` integers, gray levels around 0.
            steps: of the file that was delivered.
            levels: as there.

        Returns:
            As the luma, float64, gray levels.

        Raises:
            EditedImageError: it can be seen that too little of it is left.
        """


class ExpandingMethod(Method):
    """A method that once made some of a JPEG's coefficients larger, by a key.

    Larger ones stay larger than smaller ones, so that whoever has the key can tell from
    the protected file what they were. A record keeps the ``expansion``, and a level for
    each block. No release is made like this any more.
    """

    @abstractmethod
    def expander(self, expansion: bytes) -> Expander:
        """What changes coefficients, and back.

        Args:
            expansion: out of a record.

        Raises:
            DamagedRecordError: it can't be read.
        """


class Hidden(Protocol):
    """What one image hides, as a :class:`RevealingMethod` reads it from a secret."""

    def hidden(self, height: int, width: int) -> np.ndarray:
        """What is hidden, for ``(height, width)`` pixels, uint8."""

    def light_parts(self, height: int, width: int) -> np.ndarray:
        """The scene in two shades, which is what can be revealed: bool."""

    def scene_in(self, revealed: np.ndarray) -> np.ndarray:
        """The scene as far as it can be seen in what was revealed, uint8."""


class RevealingMethod(InvertibleMethod):
    """A method whose change holds an image that its owner can show again."""

    @abstractmethod
    def hiding(self, secret: bytes) -> Hidden:
        """What is hidden by a secret.

        Raises:
            DamagedRecordError: the secret can't be read.
        """

    @abstractmethod
    def reveal(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        """What is found in an image, which may have been re-saved.

        Args:
            secret: what it was protected by; what it hides isn't used.
            image: ``(H, W, colours)`` uint8.

        Returns:
            ``(h, w)`` uint8, at the size that the method works at.
        """

    @abstractmethod
    def decoy(self, state: State, number: int) -> State:
        """The state as another key, drawn by a number, would have made it."""


def eight_bit(image: np.ndarray) -> np.ndarray:
    """uint8 or uint16 samples as uint8, in gray levels of 1/255."""
    return image if image.dtype == np.uint8 else (image // 257).astype(np.uint8)


def bounded(moved: np.ndarray, image: np.ndarray, amplitude: int | None) -> np.ndarray:
    """What :meth:`InvertibleMethod.move` made, cut off to what an image may be.

    Args:
        moved: ``(H, W, colours)`` int16.
        image: ``(H, W, colours)`` uint8, what was moved.
        amplitude: the largest change in gray levels, or None.

    Returns:
        ``(H, W, colours)`` int16 within 0..255.
    """
    if amplitude is not None:
        wide = image.astype(np.int16)
        moved = moved.clip(wide - amplitude, wide + amplitude)
    return moved.clip(0, 255)


def clipped(images: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """uint8 images plus offsets in gray levels, clipped to 0..255, as uint8."""
    made = np.empty_like(images)
    offsets = np.broadcast_to(offsets, images.shape)
    rows = max(1, _PORTION // max(1, images[:1].size))
    for start in range(0, len(images), rows):
        some = slice(start, start + rows)
        moved = images[some].astype(np.int16)
        moved += offsets[some]
        made[some] = moved.clip(0, 255, out=moved)
    return made


def keyed_order(key: bytes, count: int) -> np.ndarray:
    """An order that nobody without the key can repeat, the same on every machine.

    Args:
        key: 32 bytes, derived for this one order.
        count: how many things are ordered.

    Returns:
        ``(count,)`` int64, a permutation of 0..count-1.
    """
    stream = keystream(key, 8 * count)
    return np.argsort(np.frombuffer(stream, "<u8"), kind="stable")


def for_colours(pattern: np.ndarray, colours: int) -> np.ndarray:
    """A pattern for an image of that many colours.

    Args:
        pattern: ``(h, w, c)`` int8 in gray levels, c 1 or 3.
        colours: 1 or 3.

    Returns:
        The pattern itself, or for a coloured pattern and a gray image the sign of the
        three channels' sum at the pattern's largest value, ``(h, w, 1)`` int8: their
        mean itself would use little of the amplitude.
    """
    if pattern.shape[2] == 1 or colours == 3:
        return pattern
    total = pattern.astype(np.int16).sum(axis=2, keepdims=True)
    largest = int(np.abs(pattern.astype(np.int16)).max(initial=0))
    return np.where(total >= 0, largest, -largest).astype(np.int8)


def class_index(state: State, label: str) -> int:
    """Where a class stands in a state's tables.

    Raises:
        InputError: the class was not there when the state was fitted.
    """
    try:
        return state.classes.index(label)
    except ValueError:
        raise InputError(
            f"Class {label!r} was not there when the tables were fitted; "
            "protect the enlarged dataset into a new folder"
        ) from None
