#: f_(int, int) -> int; k_ = 2..4
def f_(value_, goal_):
    """Return how far value_ is from goal_, counted k_ times if it is above.
    If both are equal, return -1."""
    if value_ == goal_:
        return -1
    if value_ > goal_:
        return (value_ - goal_) * k_
    return goal_ - value_


#: f_(int, pos) -> int; k_ = 1..3
def f_(value_, size_):
    """Return how many groups of size_ hold value_ things.
    A last group that is not full counts k_."""
    groups_ = value_ // size_
    if value_ % size_ > 0:
        groups_ += k_
    return groups_


#: f_(int) -> int; k_ = 2..3; j_ = 9..13
def f_(value_):
    """Return the first number from value_ on that is above j_.
    Count up from value_ in steps of k_."""
    while value_ <= j_:
        value_ += k_
    return value_


#: f_(signed, signed, signed) -> int; k_ = 1..3
def f_(first_, second_, third_):
    """Return how many of the three numbers are below 0, times k_.
    If all three are, return 0."""
    count_ = 0
    for value_ in (first_, second_, third_):
        if value_ < 0:
            count_ += 1
    return 0 if count_ == 3 else count_ * k_


#: f_(int, small) -> bool; k_ = 2..4
def f_(left_, right_):
    """Tell whether left_ is at least k_ times right_.
    If right_ is 0, tell whether left_ is odd."""
    if right_ == 0:
        return left_ % 2 == 1
    return left_ >= right_ * k_
