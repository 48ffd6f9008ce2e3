"""The subcommands of `mxio`: one module each, listed in mxio.cli.

A module has `add_parser(commands)`, which describes its options, `run(options)`, which
gives the exit code, and the functions and results that `mxio` exports. It imports only
what is light: the rest where it is used.
"""
