"""JPEG files as their quantised coefficients, and byte for byte.

- :func:`reading.read` gives a file's coefficients and all that is around them.
- :func:`writing.write` makes an ordinary JPEG of changed coefficients.
- :mod:`exact` keeps what else is needed to have the file back, in a few bytes.
- :mod:`spatial` turns changes of pixels into offsets of coefficients.

Markers are read and written in Python. Entropy coding is a small C file, ``codec.c``,
which :mod:`library` loads. It isn't libjpeg's because that, through any interface that
can be called from Python safely, loses what makes a file exact: blocks beyond the
picture's edge, Huffman tables, scan scripts, restart intervals, the bits that fill up.
"""
