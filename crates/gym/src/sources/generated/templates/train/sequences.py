#: f_(ints, int) -> int; k_ = 2..4
def f_(items_, limit_):
    """Return how many of items_ are above limit_.
    An item that equals limit_ counts k_ times."""
    count_ = 0
    for item_ in items_:
        if item_ > limit_:
            count_ += 1
        elif item_ == limit_:
            count_ += k_
    return count_


#: f_(ints, small) -> int
def f_(items_, size_):
    """Return the sum of the largest size_ of items_.
    If there are fewer items, return the sum of all plus 1."""
    if len(items_) < size_:
        return sum(items_) + 1
    ranked_ = sorted(items_, reverse=True)
    return sum(ranked_[:size_])


#: f_(ties) -> int
def f_(items_):
    """Return the length of the longest run of equal neighbours in items_.
    An empty list gives 0."""
    best_ = 0
    run_ = 0
    for place_, item_ in enumerate(items_):
        if place_ > 0 and item_ != items_[place_ - 1]:
            run_ = 0
        run_ += 1
        best_ = max(best_, run_)
    return best_


#: f_(ints) -> ints; k_ = 1..3
def f_(items_):
    """Return the differences between neighbours of items_, each plus k_.
    Fewer than two items give an empty list."""
    steps_ = []
    for place_ in range(1, len(items_)):
        steps_.append(items_[place_] - items_[place_ - 1] + k_)
    return steps_


#: f_(ints, int) -> int
def f_(items_, limit_):
    """Return the place of the first item above limit_, counted from 0.
    If there is none, return -1."""
    for place_, item_ in enumerate(items_):
        if item_ > limit_:
            return place_
    return -1


#: f_(ints, small) -> ints
def f_(items_, count_):
    """Return items_ with the first count_ of them moved to the end.
    A count_ above the number of items leaves them as they are."""
    if count_ > len(items_):
        return items_
    return items_[count_:] + items_[:count_]


#: f_(ties) -> ints; k_ = 2..4
def f_(items_):
    """Return items_ without those that equal their left neighbour.
    At most k_ items are kept."""
    kept_ = []
    for item_ in items_:
        if kept_ and kept_[-1] == item_:
            continue
        kept_.append(item_)
    return kept_[:k_]


#: f_(ints, int) -> ints
def f_(items_, limit_):
    """Return the first of items_ whose sum stays at or below limit_.
    Stop before the first item that would go above it."""
    taken_ = []
    total_ = 0
    for item_ in items_:
        if total_ + item_ > limit_:
            break
        total_ += item_
        taken_.append(item_)
    return taken_


#: f_(ints) -> int; k_ = 2..3
def f_(items_):
    """Return the sum of items_, where every second item counts k_ times.
    The first item counts once."""
    total_ = 0
    for place_, item_ in enumerate(items_):
        if place_ % 2 == 1:
            total_ += item_ * k_
        else:
            total_ += item_
    return total_


#: f_(ints) -> ints
def f_(items_):
    """Return for each place the largest of items_ up to there.
    An item that falls below the one before it adds 1."""
    found_ = []
    best_ = 0
    for place_, item_ in enumerate(items_):
        if place_ > 0 and item_ < items_[place_ - 1]:
            best_ += 1
        best_ = max(best_, item_)
        found_.append(best_)
    return found_


#: f_(ints, int, int) -> ints
def f_(items_, low_, high_):
    """Return those of items_ from low_ to high_, both included.
    An item above high_ becomes high_ minus 1."""
    kept_ = []
    for item_ in items_:
        if item_ > high_:
            kept_.append(high_ - 1)
        elif item_ >= low_:
            kept_.append(item_)
    return kept_


#: f_(ints1) -> int; k_ = 2..6
def f_(items_):
    """Return the last of items_ minus the first one.
    If that is below k_, return the number of items instead."""
    spread_ = items_[-1] - items_[0]
    if spread_ < k_:
        return len(items_)
    return spread_
