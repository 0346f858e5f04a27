"""Whether trackers that are compared were scored on the same sequences, and which they share."""

_NAMED_AT_MOST = 5


def common(sequences):
    """
    Return the sequences that all trackers have, sorted.

    :param sequences: {tracker: names of sequences}.
    """
    return sorted(set.intersection(*map(set, sequences.values()))) if sequences else []


def differences(sequences):
    """
    Return a line for each tracker that lacks sequences which others have; [] where none does.

    :param sequences: {tracker: names of sequences}.
    """
    everything = set().union(*sequences.values())
    lacking = {tracker: sorted(everything - set(names)) for tracker, names in sequences.items()}
    return [f'{tracker} lacks {len(names)} of {len(everything)} sequences: {listed(names)}'
            for tracker, names in lacking.items() if names]


def listed(names):
    """Return names with commas between them, the first few of many."""
    more = len(names) - _NAMED_AT_MOST
    return ', '.join([*names[:_NAMED_AT_MOST], *([f'and {more} more'] if more > 0 else [])])
