"""JPEG files as their quantised coefficients, and byte for byte.

- :func:`reading.read` gives a file's coefficients and all that is around them.
- :func:`writing.write` makes an ordinary JPEG of changed coefficients.
- :mod:`exact` keeps what else is needed to have the file back, in a few bytes.
- :mod:`planes` turns changes of pixels into changes of coefficients, and :mod:`limits`
  these into whole offsets by which no decoded pixel changes too much.

Markers are read and written in Python. Entropy coding, and whatever else goes through
every coefficient, is a C file, ``codec.c``, which :mod:`library` loads. It isn't
libjpeg's because that, through any interface that can be called from Python safely,
loses what makes a file exact: blocks beyond the picture's edge, Huffman tables, scan
scripts, restart intervals, the bits that fill up.
"""
