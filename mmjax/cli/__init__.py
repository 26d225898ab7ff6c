"""The command line: options, errors, interruption and progress, the same in every program."""
