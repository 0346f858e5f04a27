"""The subcommands of `tracking_benchmark`: one module each, with `add(commands)`."""
