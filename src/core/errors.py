"""Errors that a user can act on: each message says what was expected, what came and how to fix it."""


class LeadlineError(Exception):
    """Base of every error the command line prints without a traceback; the message is for the user."""


class ConfigError(LeadlineError):
    """The configuration asks for something that does not exist or does not fit together."""


class DataError(LeadlineError):
    """A data set or one of its files is missing, unreadable or not what its format promises."""


class CheckpointError(LeadlineError):
    """Model weights cannot be found, fetched or fitted to the architecture."""


class PredictionError(LeadlineError):
    """A model returned something that is not a prediction for the images it was given."""


class RecordsError(LeadlineError):
    """Result files are missing, unreadable, incomplete or contradict one another."""
