#: f_(int, int) -> int; k_ = 2..5
def f_(value_, limit_):
    """Return k_ times value_ if value_ is below limit_.
    From limit_ on, return value_ plus limit_."""
    if value_ < limit_:
        return value_ * k_
    return value_ + limit_


#: f_(int, int) -> int; k_ = 2..5
def f_(first_, second_):
    """Return the gap between first_ and second_, without sign.
    A gap of k_ or less counts as 0."""
    gap_ = first_ - second_
    if gap_ < 0:
        gap_ = -gap_
    if gap_ <= k_:
        return 0
    return gap_


#: f_(int) -> int; j_ = 1..3; k_ = 2..4
def f_(value_):
    """Return half of value_ if it is even, else k_ times value_ plus j_."""
    if value_ % 2 == 0:
        return value_ // 2
    return value_ * k_ + j_


#: f_(int) -> int; k_ = 3..7; j_ = 9..14
def f_(value_):
    """Return the level of value_: 0 below k_, 1 from k_ on, 2 from j_ on.
    A value_ above 18 has level 4."""
    level_ = 0
    if value_ >= k_:
        level_ += 1
    if value_ >= j_:
        level_ += 1
    if value_ > 18:
        level_ += 2
    return level_


#: f_(big) -> int; k_ = 1..3
def f_(value_):
    """Return the sum of the digits of value_, where each 0 counts as k_.
    A value_ of 0 gives 0."""
    total_ = 0
    while value_ > 0:
        digit_ = value_ % 10
        total_ += digit_ if digit_ > 0 else k_
        value_ = value_ // 10
    return total_


#: f_(int, pos) -> int; k_ = 1..4
def f_(value_, size_):
    """Return the largest multiple of size_ that is not above value_.
    If value_ is a multiple itself, add k_."""
    rest_ = value_ % size_
    if rest_ == 0:
        return value_ + k_
    return value_ - rest_


#: f_(int, int, above) -> bool; k_ = 1..3
def f_(value_, low_, high_):
    """Tell whether value_ is at least low_ and below high_.
    It is also true if value_ equals high_ plus k_."""
    if value_ == high_ + k_:
        return True
    return low_ <= value_ and value_ < high_


#: f_(int, int, int) -> int
def f_(first_, second_, third_):
    """Return the middle one of the three numbers by size.
    If first_ equals second_, return third_."""
    if first_ == second_:
        return third_
    small_ = min(first_, second_)
    large_ = max(first_, second_)
    return max(small_, min(large_, third_))


#: f_(int, pos) -> int; k_ = 2..4
def f_(goal_, step_):
    """Return how many steps of size step_ reach goal_, starting at 0.
    After each step, the size grows by k_. A goal_ of 0 needs none."""
    count_ = 0
    place_ = 0
    while place_ < goal_:
        place_ += step_
        step_ += k_
        count_ += 1
    return count_


#: f_(int) -> bool; k_ = 3..5; j_ = 8..12
def f_(value_):
    """Tell whether value_ is a multiple of k_ or above j_, but not both."""
    fits_ = value_ % k_ == 0
    large_ = value_ > j_
    return fits_ != large_


#: f_(signed, signed) -> int; k_ = 1..3
def f_(left_, right_):
    """Return left_ minus right_ if both are above 0, their sum if neither is.
    Otherwise return k_ times the larger one."""
    if left_ > 0 and right_ > 0:
        return left_ - right_
    if left_ <= 0 and right_ <= 0:
        return left_ + right_
    return max(left_, right_) * k_


#: f_(small, small) -> int; k_ = 2..5
def f_(rows_, width_):
    """Return rows_ times width_, minus k_ if rows_ is larger than width_.
    The result is never below 0."""
    area_ = rows_ * width_
    if rows_ > width_:
        area_ -= k_
    return max(area_, 0)
