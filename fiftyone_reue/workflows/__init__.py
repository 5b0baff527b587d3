"""The verbs, a module each: from files and a vault to a result."""
