"""The plugin's panels, one file each."""
