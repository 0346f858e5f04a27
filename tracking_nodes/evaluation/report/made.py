"""Exactly what was run: what the records of the results say, by tracker."""

# Keys of a record that the page shows elsewhere, that name the record itself, or that have a
# value of every frame.
_ELSEWHERE = {'label', 'sequence', 'attributes', 'truth', 'image_size', 'polygons', 'trial',
              'scored', 'stamps', 'tags', 'values', 'limits'}


def what_was_run(records):
    """
    Return lines of 'name = value' for each tracker.

    :param records: list of (tracker, sequence, record) of all runs.
    :return: {tracker: lines}; what differs between its sequences is listed by sequence.
    """
    values = {}
    for tracker, sequence, record in records:
        own = values.setdefault(tracker, {})
        for key, value in _flat(of_a_run(record)):
            own.setdefault(key, {}).setdefault(str(value), []).append(sequence)
    return {tracker: [line for key, found in own.items() for line in _lines(key, found)]
            for tracker, own in values.items()}


def of_a_run(record):
    """Return what a record says of how its run was made."""
    return {key: value for key, value in record.items() if key not in _ELSEWHERE}


def _lines(key, found):
    if len(found) == 1:
        return [f'{key} = {value}' for value in found]
    return [f'{key} = {value} ({", ".join(dict.fromkeys(sequences))})'
            for value, sequences in found.items()]


def _flat(content, prefix=''):
    """Yield (dotted key, value) of a dictionary of dictionaries."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', value
