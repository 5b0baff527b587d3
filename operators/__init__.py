"""The plugin's operators, one file each."""
