"""What `mindgraph doctor` looks at on the machine, one file a subject.

Each check is a function that takes what it looks at: a root folder, or what a command has said.
"""
