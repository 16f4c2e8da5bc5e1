"""The whole database as one file, and its way from one version of PostgreSQL to another.

Unlike a backup, which is PostgreSQL's own files, a dump is read by later versions.
"""
