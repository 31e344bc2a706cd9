"""The command line: one module for each command, which calls a function of the library."""
