"""A short animation of the App, and thumbnails, made of screenshots."""

import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans-Bold.ttf"
BAR, TEXT_SIZE = 48, 22
MARK, TEXT, BEHIND = "#ff6d04", "#ffffff", "#1a1a1a"
QUALITY = 90
THUMBNAIL = 420
"""Pixels across: three stand side by side in a README."""

PAUSE_MS = 500
PATIENCE_SECONDS = 60
STILL = 16
"""Gray levels that a settled page may change by: copies flicker by less."""

TO_THE_TOP = """element => {
  const scrolls = box => box.scrollHeight > box.clientHeight + 1
    && /auto|scroll/.test(getComputedStyle(box).overflowY);
  let box = element.parentElement;
  while (!scrolls(box)) box = box.parentElement;
  const top = one => one.getBoundingClientRect().top;
  box.scrollTop += top(element) - top(box) - 16;
}"""
"""Scrolls the innermost box alone; ``scrollIntoView`` moves the page's head as well."""


@dataclass
class Film:
    """What was filmed so far.

    Attributes:
        page: of playwright.
        frames: pictures with a caption below, all of one size.
        lengths: how long each is shown, in milliseconds.
        thumbnails: small pictures of parts of the page, by name.
    """

    page: Any
    frames: list[Image.Image] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    thumbnails: dict[str, Image.Image] = field(default_factory=dict)

    def shoot(self, caption: str, ms: int) -> None:
        """Film what is to be seen, once it has settled."""
        self.frames.append(captioned(self.settled(), caption))
        self.lengths.append(ms)

    def thumbnail(self, name: str, part: Any) -> None:
        """Keep a small picture of a part of the page, once it has settled."""
        whole = self.settled()
        box = part.bounding_box()
        left, top, width = round(box["x"]), round(box["y"]), round(box["width"])
        # Of one shape, so that they stand in rows.
        cut = whole.crop((left, top, left + width, top + width * 4 // 5))
        size = (THUMBNAIL, THUMBNAIL * 4 // 5)
        self.thumbnails[name] = cut.resize(size, Image.Resampling.LANCZOS)

    def to_the_top(self, found: Any) -> None:
        """Scroll a panel or form until an element is at its top."""
        found.evaluate(TO_THE_TOP)

    def write(self, folder: Path) -> Path:
        """Write ``tour.webp``, and ``thumbnails/NAME.webp`` of each."""
        (folder / "thumbnails").mkdir(parents=True, exist_ok=True)
        path = folder / "tour.webp"
        first, *rest = self.frames
        first.save(
            path,
            save_all=True,
            append_images=rest,
            duration=self.lengths,
            quality=QUALITY,
            method=6,
            loop=0,
            # Each frame by itself: else traces of those before stay in dark places.
            kmin=0,
            kmax=1,
        )
        for name, image in self.thumbnails.items():
            image.save(folder / f"thumbnails/{name}.webp", quality=QUALITY, method=6)
        return path

    def settled(self) -> Image.Image:
        """The page, once nothing on it moves any more."""
        size = self.page.viewport_size
        # Away from what changes its look below the mouse.
        self.page.mouse.move(size["width"] - 1, size["height"] - 1)
        end = time.monotonic() + PATIENCE_SECONDS
        last = None
        while time.monotonic() < end:
            self.page.wait_for_timeout(PAUSE_MS)
            data = self.page.screenshot(timeout=PATIENCE_SECONDS * 1000)
            now = Image.open(io.BytesIO(data)).convert("RGB")
            if last is not None and largest_change(last, now) <= STILL:
                return now
            last = now
        raise AssertionError(f"the page still moves after {PATIENCE_SECONDS} s")


def largest_change(before: Image.Image, after: Image.Image) -> int:
    """The largest difference of two pictures of one size, in gray levels."""
    return int(np.abs(np.asarray(before, int) - np.asarray(after, int)).max())


def captioned(image: Image.Image, caption: str) -> Image.Image:
    """A picture with a line of text below."""
    made = Image.new("RGB", (image.width, image.height + BAR), BEHIND)
    made.paste(image, (0, 0))
    draw = ImageDraw.Draw(made)
    draw.rectangle((0, image.height, 8, made.height), fill=MARK)
    font = ImageFont.truetype(str(FONT), TEXT_SIZE)
    assert draw.textlength(caption, font) < image.width - 48, "too long a caption"
    draw.text((24, image.height + BAR // 2), caption, TEXT, font, anchor="lm")
    return made
