"""Setting up: FiftyOne's plugins folder and its database."""
