"""Names and text of others: file names, held inside a folder, ready to be shown."""
