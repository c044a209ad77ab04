"""What can go wrong with a member."""


class TrainingError(RuntimeError):
    """A network could not be trained: too little data, or its loss is not a number."""
