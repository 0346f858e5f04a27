"""The losses of TSN (ICCV 2017), eq. 2 and eq. 5."""

LOSSES = ('l1', 'l2')


def overlap_loss(similarities, overlaps, kind='l1'):
    """
    Return eq. 2, the summed distance of predicted similarities from the true overlaps.

    :param similarities: (E,) in [0, 1].
    :param overlaps: (E,) intersection over union, in [0, 1].
    :param kind: 'l1' or 'l2', the paper's other choice (Fig. 4).
    :return: scalar.
    """
    distance = similarities - overlaps
    return (distance.abs() if kind == 'l1' else distance.square()).sum()


def response_loss(responses, labels, parameters, decay):
    """
    Return eq. 5: the squared error summed over a window, averaged over windows, and weight decay.

    :param responses: (N, n, n).
    :param labels: (N, n, n).
    :param parameters: iterable of all tensors of the network, theta.
    :param decay: lambda.
    :return: scalar.
    """
    error = (labels - responses).square().sum() / len(responses)
    return error + decay * sum(each.square().sum() for each in parameters)
