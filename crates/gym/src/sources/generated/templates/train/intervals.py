#: f_(int, above, int, above) -> int; k_ = 1..2
def f_(start_, end_, other_, last_):
    """Return how far the range start_ to end_ overlaps other_ to last_.
    Without an overlap, return -k_."""
    low_ = max(start_, other_)
    high_ = min(end_, last_)
    if low_ >= high_:
        return -k_
    return high_ - low_


#: f_(pairs, int) -> int; k_ = 2..3
def f_(spans_, point_):
    """Return how many of spans_ hold point_; their end is not part of them.
    A span that starts at point_ counts k_ times."""
    count_ = 0
    for start_, end_ in spans_:
        if start_ == point_:
            count_ += k_
        elif start_ < point_ < end_:
            count_ += 1
    return count_


#: f_(pairs) -> int; k_ = 4..9
def f_(spans_):
    """Return the sum of the lengths of spans_, where the end is included.
    Each length is at most k_; a span that ends before its start has none."""
    total_ = 0
    for start_, end_ in spans_:
        if end_ >= start_:
            total_ += min(end_ - start_ + 1, k_)
    return total_


#: f_(int, int) -> int; k_ = 8..12
def f_(hour_, hours_):
    """Return the hour that is hours_ after hour_ on a clock with k_ hours.
    Hours count from 1 to k_."""
    later_ = (hour_ + hours_) % k_
    if later_ == 0:
        return k_
    return later_
