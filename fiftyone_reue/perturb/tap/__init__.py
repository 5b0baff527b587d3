"""TAP: targeted adversarial poisoning."""
