"""What a backup is made of, and where it is kept.

PostgreSQL is in pgBackRest's repository, with every change since. All else (uploaded files, Redis,
Qdrant, the env file, and the manifest that names the parts) is in one of restic. Both are encrypted
with BACKUP_KEY. A backup is there when its manifest is: that comes last.
"""
