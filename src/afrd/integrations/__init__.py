"""Other libraries as hosts of what is here, and as guests in it."""
