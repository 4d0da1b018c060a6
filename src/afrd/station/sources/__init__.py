"""Where captures come from beside HTTP: one small class a source, each in a thread of its own."""
