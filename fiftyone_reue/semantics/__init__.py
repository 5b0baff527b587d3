"""The images that Deep Hiding hides: far apart between classes, alike within one.

They come from a bank of scenes that is drawn from a key
(:mod:`fiftyone_reue.semantics.bank`) or from a folder of the user's own
(:mod:`fiftyone_reue.semantics.folder`), which a diffusion model may have filled
(:mod:`fiftyone_reue.semantics.generator`).
"""
