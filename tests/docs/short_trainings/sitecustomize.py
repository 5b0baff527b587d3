"""Python begins with this where a page's examples run: all trainings are short.

Readers wait minutes for a network that says something. That the examples run shows
after some steps as well; what networks learn is tested elsewhere.
"""

from typing import Any

from fiftyone_reue.networks import recipe


class Short(recipe.Recipe):
    """A recipe of one pass and few steps, whatever is asked for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in {"epochs": 1, "least_steps": 2, "batch": 16}.items():
            object.__setattr__(self, name, value)


recipe.Recipe = Short  # type: ignore[misc]
