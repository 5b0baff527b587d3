"""``python -m fiftyone_reue.demo``, as ``reue demo``."""

from fiftyone_reue.cli.demo import demo

if __name__ == "__main__":
    demo()
