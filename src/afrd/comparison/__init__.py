"""The comparison of the paper: every method on every class, resumable, and its tables and figures."""
