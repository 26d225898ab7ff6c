"""The command line: options, errors, interruption and progress.

It is the same in every program.
"""
