"""Brings a backup back without touching the data in use.

A restore fills volumes of another generation beside those in use, and checks them. Then one change
of DATA_GENERATION in the env file lets the stack use them. Whatever fails before that removes the
new volumes, and the stack has served all the time. The old volumes stay, as the way back.
"""
