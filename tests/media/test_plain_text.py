import base64
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.media.plain_text import TextGate, decoded
from tests.media.hiding import Hidden, small

pytestmark = pytest.mark.unit

PROMPT = """masterpiece, best quality, ((ultra detailed)), (photorealistic:1.4), 1girl,
long hair, <lora:add_detail:0.8>, (blue eyes:1.2), standing in a field of flowers, 8k
Negative prompt: (worst quality:2), (low quality:2), lowres, bad anatomy, EasyNegative
Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 2643545645, Size: 512x768,
Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Denoising strength: 0.45, Clip skip:
2, Hires upscale: 2, Lora hashes: "add_detail: 7c6bad76eb54, noise: d1131f7207d6",
Version: v1.6.0"""
PLAIN = {
    "empty": "",
    "English": "A cat sat on a mat and looked out of the window.\n\n\tSo it was.",
    "German": "Das Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz, "
    "die Donaudampfschifffahrtsgesellschaftskapitänsmütze und die Angst vor der "
    "Kraftfahrzeughaftpflichtversicherung; Angstschweiß.",
    "Finnish": "epäjärjestelmällistyttämättömyydellänsäkäänköhän",
    "Welsh": "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogoch",
    "Chinese": "照片摄于2023年10月12日，地点：北京。"
    + "一只猫坐在窗台上，看着外面的雨。" * 20,
    "traditional Chinese": "這是一張在臺灣拍攝的照片，版權所有，未經授權不得轉載。"
    * 20,
    "Japanese": "東京タワーの夜景です。Canon EOS R5で撮影。無断転載を禁じます。",
    "Korean": "서울에서 찍은 사진입니다. 무단 전재를 금지합니다." * 20,
    "Arabic": "هذه صورة لقطة تجلس على النافذة، جميع الحقوق محفوظة ٢٠٢٤.",
    "Hindi": "यह एक बिल्ली की तस्वीर है जो खिड़की पर बैठी है। सर्वाधिकार सुरक्षित।" * 20,
    "Thai": "ภาพนี้ถ่ายที่กรุงเทพมหานคร สงวนลิขสิทธิ์" * 20,
    "Vietnamese": unicodedata.normalize(
        "NFD", "Bức ảnh này được chụp tại Hà Nội." * 20
    ),
    "Russian": "Эта фотография сделана в Москве. Все права защищены." * 20,
    "Greek": "Αυτή η φωτογραφία τραβήχτηκε στην Αθήνα.",
    "Amharic": "የአማርኛ ጽሑፍ ናሙና",
    "Hebrew": "תמונה של חתול על אדן החלון",
    "emoji": "My cat 😺😺 on holiday 🏖️, so cute ❤️",
    "address": "https://www.example.org/photos/2024/06/IMG_20240612_183344.jpg?size=large",
    "copyright": "© 2019-2024 Jane Q. Photographer. jane@example.com +44 20 7946 0958",
    "keywords": "cat,dog,animal,pet,window,rain,portrait,cute,fluffy,tabby,kitten" * 10,
    "prompt": PROMPT,
    "exposure": "ISO 100, f/2.8, 1/250 s; Nikon D850, NIKKOR Z 85mm f/1.8 S",
    "program": "Adobe Photoshop CC 2019 (Windows)",
    "rule": "Title\n----------------\nText here, for people.",
    "Welsh prose": "Mae hen wlad fy nhadau yn annwyl i mi, gwlad beirdd a chantorion",
    "Polish": "Wszczęto postępowanie w sprawie chrząszcza, który brzmi w trzcinie",
    "moments": "2024:06:12 18:33:44, 2024-06-12T18:33:44.123+02:00, 2023-01-31 08:00",
    "padded": "OLYMPUS DIGITAL CAMERA         ",
    "maker": "NIKON CORPORATION",
    "camera": "Canon EOS 5D Mark IV",
    "lens": "iPhone 15 Pro Max back triple camera 6.765mm f/1.78",
    "initials": "Photo by J. R. R. Schwarzschild",
    "mail": "jane.q.photographer-2024@photography.example.org",
    "space of colours": "IEC 61966-2.1 Default RGB colour space - sRGB",
    "height": "520.5 m above the sea, 12 June 2024 at 14:33:21 UTC",
}


@pytest.fixture(scope="module")
def hidden(photos) -> Hidden:
    return Hidden(photos["coffee"])


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_words_pass(text):
    assert TextGate().lets(text)


def test_coded_pictures_do_not(hidden):
    texts = {name: text.decode("latin-1") for name, text in hidden.texts()}
    texts |= {
        "base32": base64.b32encode(hidden.gray).decode(),
        "base85": base64.b85encode(hidden.jpeg).decode(),
        "base64 in fours": " ".join(
            hidden.base64.decode()[at : at + 4]
            for at in range(0, len(hidden.base64), 4)
        ),
        "0x": ", ".join(f"0x{value:02x}" for value in hidden.gray),
        "bits": "".join(f"{value:08b}" for value in hidden.gray),
        "half bytes as letters": "".join(
            chr(97 + (v >> 4)) + chr(97 + (v & 15)) for v in hidden.jpeg
        ),
        "wide characters": hidden.gray.decode("utf-16-le", "replace"),
        "ideographs": "".join(chr(0x4E00 + (v << 4)) for v in hidden.gray),
        "braille": "".join(chr(0x2800 + v) for v in hidden.gray),
        "variation selectors": "a"
        + "".join(chr(0xFE00 + (v >> 4)) for v in hidden.gray),
        "drawn": "\n".join(
            "".join(" .:-=+*#%@"[v // 26] for v in row)
            for row in np.frombuffer(hidden.gray, np.uint8).reshape(12, 16)
        ),
    }
    assert [name for name, text in texts.items() if TextGate().lets(text)] == []


@pytest.mark.parametrize(
    "text", ["nul\0", "bell\a", "escape\x1b[0m", "\x85", "\ud800", "\ue000", "\ufffe"]
)
def test_control_characters_do_not(text):
    assert not TextGate().lets(text)


@pytest.mark.slow
def test_long_texts_do_not():
    assert TextGate().lets("word " * 13_000)
    assert not TextGate().lets("word " * 14_000)


@pytest.mark.slow
@given(st.binary(min_size=120, max_size=400))
def test_no_bytes_pass_as_base64_or_hexadecimal(data):
    noise = np.random.default_rng(1).bytes(len(data))
    varied = bytes(v ^ k for v, k in zip(data, noise, strict=True))
    assert not TextGate().lets(base64.b64encode(varied).decode())
    assert not TextGate().lets(varied.hex())
    assert not TextGate().lets(varied.hex(" "))


CODED = {
    "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "BlurHash": "LKO2?U%2Tw=w]~RBVZRi};RPxuwH",
    "BlurHash in words": "blurhash: LEHV6nWB2yk8pyo0adR*.7kCMdnj, a coffee",
    "BlurHash in an address": "https://a.org/x?y=LEHV6nWB2yk8pyo0adR*.7kCMdnj",
    "ThumbHash": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
    "JSON": '{"shape": [512, 512, 3]}',
    "list": ' ["a", "list"]',
    "single letters": "a b c d " * 20,
    "pairs of letters": "ab cd ef gh " * 10,
    "spaces of many widths": "".join(f"x{' ' * (n % 7 + 2)}" for n in range(60)),
    "spaces of many kinds": "x\u2009\u2003" * 60,
    "tabs": " \t\t " * 30,
}


@pytest.mark.parametrize("text", CODED.values(), ids=CODED)
def test_small_codings_do_not_pass(text):
    assert not TextGate().lets(text)


def test_grays_as_letters_do_not_pass_as_words(photos):
    shown = []
    for picture in photos.values():
        rows = small(picture, 16, 12, "L") // 10 + 97
        text = " ".join(bytes(row).decode() for row in rows)
        assert not TextGate().lets(text)
        gate, strict = TextGate(), TextGate(strict=True)
        passed = [gate.lets(bytes(row).decode()) for row in rows]
        assert not all(passed)
        assert gate.overrun
        shown.append(sum(strict.lets(bytes(row).decode()) for row in rows))
    assert sum(shown) <= len(shown)  # a row a picture, of 12
    assert max(shown) <= 4


def test_the_strict_gate_lets_no_part_of_a_picture_pass(hidden):
    rows = np.frombuffer(hidden.gray, np.uint8).reshape(12, 16)
    for texts in (
        [bytes(row // 16).hex()[1::2] for row in rows],
        [" ".join(map(str, row)) for row in rows],
        [" " * int(value) + "x" for value in rows.ravel()],
        [bytes(row // 10 + 97).decode() for row in rows],
    ):
        gate = TextGate()
        shown = sum(map(gate.lets, texts)) / len(texts)
        assert shown <= 0.42
        assert gate.overrun
        strict = TextGate(strict=True)
        assert sum(map(strict.lets, texts)) / len(texts) <= 0.125
    strict = TextGate(strict=True)
    assert strict.lets("2024:06:12 18:33:44")
    assert strict.lets("NIKON CORPORATION")


@pytest.mark.slow
@given(st.text(max_size=60), st.text(max_size=20), st.booleans())
def test_any_text_is_judged_the_same_again(text, label, strict):
    first = TextGate(strict=strict).lets(text, label)
    assert TextGate(strict=strict).lets(text, label) == first
    assert not (first and text.lstrip().startswith("{"))


def test_many_short_texts_are_counted_together():
    gate = TextGate()
    parts = [np.random.default_rng(n).bytes(8).hex() for n in range(20)]
    assert 0 < sum(map(gate.lets, parts)) * 16 <= 80
    assert gate.overrun
    assert gate.lets("Words still pass.")


MOMENT = "2024:06:12 18:33:44"
CAMERAS = {
    "phone": "Apple;iPhone 15 Pro Max;17.1.2;+02:00;+02:00;+02:00;123;123;N;E;T;"
    "K;M;2024:06:12;iPhone 15 Pro Max back triple camera 6.765mm f/1.78",
    "Nikon": "NIKON CORPORATION;NIKON D850;Ver.1.20 ;Jane Doe;"
    "© 2019-2024 Jane Doe;54;54;54;3012345;24.0-70.0 mm f/2.8;"
    "NIKKOR Z 24-70mm f/2.8 S;20012345",
    "Canon": "Canon;Canon EOS 5D Mark IV;+02:00;+02:00;"
    "Adobe Photoshop Lightroom Classic 13.2 (Windows);012345678901;12;"
    "EF24-70mm f/2.8L II USM;0000123456;Ann-Marie O'Neill;R98",
    "Samsung": "samsung;SM-S928B;S928BXXS2AXD6;+02:00;123;123;123;X50LLVG02VM;R98",
}
"""Texts beside the three moments of a file, by the camera that wrote it."""


@pytest.mark.parametrize("texts", CAMERAS.values(), ids=CAMERAS)
def test_all_that_cameras_write_passes(texts):
    gate = TextGate()
    all_texts = [*([MOMENT] * 3), *texts.split(";")]
    assert [text for text in all_texts if not gate.lets(text)] == []
    assert not gate.overrun


def test_repeated_texts_count_after_a_while():
    gate = TextGate()
    assert sum(gate.lets("x1y2z3a4b5") for _ in range(100)) == 6 + 8


@pytest.mark.slow
def test_texts_are_so_many_and_so_long_at_most():
    gate = TextGate()
    assert [gate.lets(f"{'word ' * n}") for n in range(1, 131)] == (
        [True] * 128 + [False] * 2
    )
    gate = TextGate()
    assert gate.lets("word " * 7_000)
    assert not gate.lets("other " * 7_000)


def test_labels_are_counted_and_texts_behind_them_seen():
    assert TextGate().lets("a cat", "Title")
    assert not TextGate().lets('{"a": 1}', "Title")
    assert not TextGate().lets("a cat", "LKO2?U%2Tw=w]~RBVZRi};RPxuwH")


def test_bytes_are_utf8_or_latin_1():
    assert decoded("größer".encode()) == "größer"
    assert decoded("größer".encode("latin-1")) == "größer"


@pytest.mark.parametrize(
    "text",
    [
        "48.2083 N 11.0833 E",
        "taken at 48.2083, 11.0833 in May",
        "-33.85678/151.21530",
        "N 48.21 E 11.08",
        "48°12'30\" N",
        "48° 12.5′ north",
        "+47.3765+008.5412/",
        "+4722-00832/",
        "47.376542 8.541223",
        "47.376542\n8.541223",
        "47,376542 / 8,541223",
        "lat 47.376542 long 8.541223",
        "47 22.592N 008 32.473E",
        "N 47 22.592 E 008 32.473",
        "47.3765,8.541",
        "8FVC9G8F+6X",
        "32T 465005 5247000",
        "32TMT6500547000",
        "///filled.count.soap",
    ],
)
def test_places_on_earth_do_not_pass(text):
    assert not TextGate().lets(text)


@pytest.mark.parametrize(
    "text",
    [
        "Version 1.25, 2.5",
        "f/2.8, 1.5 s",
        "30° to the left",
        "3.14159 and 2.71",
        "+41-555-1234",
        "2024-05-06T07:08:09+02:00",
        "EF70-200mm f/2.8L IS II USM",
        "12MP camera, 4032 3024",
        "50mm F1.8",
        "C++14",
    ],
)
def test_other_numbers_pass(text):
    assert TextGate().lets(text)
