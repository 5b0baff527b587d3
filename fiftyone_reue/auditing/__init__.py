"""Measuring whether a release does what it promises."""
