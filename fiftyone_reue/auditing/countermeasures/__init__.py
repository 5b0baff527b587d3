"""What a thief does to protected images before or while training; one a file."""
