#: f_(ints) -> int; k_ = 1..3
def f_(items_):
    """Return how many of items_ are larger than their left neighbour.
    A rise of more than k_ counts twice."""
    rises_ = 0
    for place_ in range(1, len(items_)):
        step_ = items_[place_] - items_[place_ - 1]
        if step_ > 0:
            rises_ += 2 if step_ > k_ else 1
    return rises_


#: f_(ints, pos) -> ints
def f_(items_, size_):
    """Return the sums of items_ taken in groups of size_.
    The last group may be shorter."""
    sums_ = []
    for start_ in range(0, len(items_), size_):
        sums_.append(sum(items_[start_:start_ + size_]))
    return sums_


#: f_(ints, ints) -> ints; k_ = 1..2
def f_(left_, right_):
    """Return the larger one of left_ and right_ for each place.
    The longer list is cut, and equal numbers give k_ more."""
    made_ = []
    for one_, other_ in zip(left_, right_):
        made_.append(one_ + k_ if one_ == other_ else max(one_, other_))
    return made_


#: f_(ints, int) -> int; k_ = 2..5
def f_(items_, start_):
    """Return start_ after adding items_ above k_ and taking away the others.
    Stop as soon as it falls below 0."""
    level_ = start_
    for item_ in items_:
        level_ += item_ if item_ > k_ else -item_
        if level_ < 0:
            break
    return level_


#: f_(ties, int) -> int
def f_(items_, wanted_):
    """Return the place of the last item that equals wanted_, counted from 1.
    If there is none, return 0."""
    found_ = 0
    for place_, item_ in enumerate(items_):
        if item_ == wanted_:
            found_ = place_ + 1
    return found_
