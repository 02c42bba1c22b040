#: f_(int, above, int) -> int; k_ = 2..3
def f_(start_, end_, point_):
    """Return how far point_ is outside the range start_ to end_.
    Inside or at its ends, return -k_."""
    if point_ < start_:
        return start_ - point_
    if point_ > end_:
        return point_ - end_
    return -k_


#: f_(pairs) -> pairs
def f_(spans_):
    """Return those of spans_ that start after the end of the last one kept.
    The first one is always kept."""
    kept_ = spans_[:1]
    for start_, end_ in spans_[1:]:
        if start_ > kept_[-1][1]:
            kept_.append((start_, end_))
    return kept_
