"""What ends a command with one clear line: name, value, rule, remedy. Exit codes are those of sysexits.h."""


class DaemonError(Exception):
    """A command failed for a reason that its user can read and mend."""

    exit_code = 1


class WrongQuestion(DaemonError):
    """What is asked for isn't there, whoever asks and however often: the question has to change."""


class AlreadyRunning(DaemonError):
    """Another process works on the same state folder: EX_TEMPFAIL, try again later."""

    exit_code = 75


class ConfigError(DaemonError):
    """The configuration is wrong: EX_CONFIG."""

    exit_code = 78
