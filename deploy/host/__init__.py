"""What a machine does with a whole stack of MindGraph: backups, restores, upgrades, checks.

Python 3.8's standard library and the docker command are all it may use, as a server has no more.
"""
