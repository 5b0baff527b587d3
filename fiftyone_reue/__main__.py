"""``python -m fiftyone_reue`` is ``reue``."""

from fiftyone_reue.cli import main

if __name__ == "__main__":
    main()
