"""Looks at a whole installation: one file a subject, and `examination` has them all."""
