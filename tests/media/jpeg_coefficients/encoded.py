"""JPEG files of many kinds, made here."""

import io
import itertools
import shutil
import subprocess
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image

SCRIPT = """0,1,2: 0-0, 0, 1; 0: 1-9, 0, 2; 2: 1-63, 0, 1; 1: 1-63, 0, 1;
0: 10-63, 0, 2; 0: 1-63, 2, 1; 0,1,2: 0-0, 1, 0; 2: 1-63, 1, 0; 1: 1-63, 1, 0;
0: 1-63, 1, 0;"""
TWO_SCANS = "0; 1 2;"


def picture(width: int = 161, height: int = 137, seed: int = 0) -> np.ndarray:
    """A (height, width, 3) uint8 picture with smooth, rough and sharp parts."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / a + y / b) for a, b in ((9, 17), (23, -8), (-13, 40))]
    smooth = 128 + 90 * np.stack(waves, -1)
    smooth[(x // 20 + y // 31) % 5 == 0] = (250, 20, 60)
    rough = rng.normal(0, 30, smooth.shape) * (x > width // 2)[..., None]
    return np.clip(smooth + rough, 0, 255).astype(np.uint8)


def pillow(samples: np.ndarray, mode: str = "RGB", **options: object) -> bytes:
    """As Pillow writes it."""
    file = io.BytesIO()
    Image.fromarray(samples).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def opencv(samples: np.ndarray, *options: int) -> bytes:
    """As OpenCV writes it."""
    done, data = cv2.imencode(".jpg", samples, list(options))
    assert done
    return data.tobytes()


def cjpeg(samples: np.ndarray, *options: str) -> bytes | None:
    """As libjpeg's own program writes it, or None where there is none."""
    if shutil.which("cjpeg") is None:
        return None
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "PPM")
    made = subprocess.run(
        ["cjpeg", *options], input=file.getvalue(), capture_output=True, check=True
    )
    return made.stdout


def by_pillow(quality: int, samples: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """One of each kind that Pillow writes."""
    restarts = ({}, {"restart_marker_blocks": 3}, {"restart_marker_rows": 2})
    for sampling, progressive, optimise, restart in itertools.product(
        (0, 1, 2), (False, True), (False, True), restarts
    ):
        yield (
            f"pillow {quality} {sampling} {progressive} {optimise} {restart}",
            pillow(
                samples,
                quality=quality,
                subsampling=sampling,
                progressive=progressive,
                optimize=optimise,
                **restart,
            ),
        )
    for mode, progressive in itertools.product(("L", "CMYK"), (False, True)):
        yield (
            f"pillow {quality} {mode} {progressive}",
            pillow(samples, mode, quality=quality, progressive=progressive),
        )
    yield f"pillow {quality} rgb", pillow(samples, quality=quality, keep_rgb=True)


def by_opencv(quality: int, samples: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """One of each kind that OpenCV writes."""
    for sampling, progressive, optimise, restart in itertools.product(
        (0x411111, 0x221111, 0x211111, 0x121111, 0x111111), (0, 1), (0, 1), (0, 7)
    ):
        options = (
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            sampling,
            cv2.IMWRITE_JPEG_PROGRESSIVE,
            progressive,
            cv2.IMWRITE_JPEG_OPTIMIZE,
            optimise,
            cv2.IMWRITE_JPEG_RST_INTERVAL,
            restart,
        )
        name = f"opencv {quality} {sampling:x} {progressive} {optimise} {restart}"
        yield name, opencv(samples, *options)


def by_cjpeg(quality: int, samples: np.ndarray, script: str, two: str):
    """One of each kind that cjpeg writes; nothing where there is none.

    Args:
        quality: 1 to 100.
        samples: the picture.
        script: a file that holds SCRIPT.
        two: a file that holds TWO_SCANS.
    """
    samplings = ("1x1", "2x1", "1x2", "2x2", "4x1", "1x4", "4x2", "3x1")
    samplings += ("2x2,1x2,1x1", "1x1,2x2,1x1")
    kinds = (
        (),
        ("-optimize",),
        ("-progressive",),
        ("-restart", "1"),
        ("-restart", "5B"),
        ("-scans", script),
        ("-scans", two),
        ("-rgb",),
        ("-grayscale",),
        ("-dct", "float"),
        ("-progressive", "-restart", "3B"),
    )
    for sampling, kind in itertools.product(samplings, kinds):
        options = ("-quality", str(quality), "-sample", sampling, *kind)
        data = cjpeg(samples, *options)
        if data is not None:
            yield f"cjpeg {' '.join(options)}", data
