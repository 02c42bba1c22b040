#: f_(ints, int) -> int; k_ = 1..3
def f_(prices_, budget_):
    """Return how many of prices_ can be paid in turn with budget_.
    Each one costs k_ more than its price; one that is too dear is skipped."""
    count_ = 0
    for price_ in prices_:
        if price_ + k_ <= budget_:
            budget_ -= price_ + k_
            count_ += 1
    return count_


#: f_(int, int) -> int; K_ = 3..6
def f_(hours_, wage_):
    """Return the pay for hours_ at wage_ each.
    Each hour above K_ is paid twice."""
    extra_ = max(hours_ - K_, 0)
    return hours_ * wage_ + extra_ * wage_
