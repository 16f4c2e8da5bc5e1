"""Takes documents and searches of an old database over into the knowledge space."""
