"""The keyed mark that tells recipients' copies apart, and the evidence it gives."""
