"""The commands of `kwartier`: a module each, with `add(subparsers)` and `run(arguments) -> exit code`."""
