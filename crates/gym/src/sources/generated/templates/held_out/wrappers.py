#: f_(..., int) -> int; g_(...) -> int; k_ = 2..6
def f_(args_, floor_):
    """Return k_ more than g_(args_), but at least floor_."""
    found_ = g_(args_)
    return max(found_ + k_, floor_)


#: f_(...) -> int; g_(...) -> int; h_(...) -> int; k_ = 2..3
def f_(args_):
    """Return g_(args_) or k_ times h_(args_).
    Take the larger one of the two."""
    left_ = g_(args_)
    right_ = h_(args_) * k_
    return left_ if left_ > right_ else right_


#: f_(...) -> text; g_(...) -> int; k_ = 4..9; s_ = 'low'|'few'|'small'; t_ = 'high'|'many'|'large'
def f_(args_):
    """Return s_ if g_(args_) is below k_, else t_."""
    if g_(args_) < k_:
        return s_
    return t_


#: f_(ints) -> int; g_(int) -> int; k_ = 3..8
def f_(items_):
    """Return how many of items_ have a g_ of more than k_."""
    count_ = 0
    for item_ in items_:
        if g_(item_) > k_:
            count_ += 1
    return count_


#: f_(int, ints) -> ints; g_(int, int) -> int; k_ = 1..3
def f_(value_, others_):
    """Return g_(value_, other) minus k_ for each of others_."""
    made_ = []
    for other_ in others_:
        made_.append(g_(value_, other_) - k_)
    return made_


#: f_(...) -> ints; g_(...) -> ints; k_ = 1..3
def f_(args_):
    """Return g_(args_) the other way round, with k_ added at the end."""
    found_ = g_(args_)
    return found_[::-1] + [k_]


#: f_(text, text) -> text; g_(text) -> int; k_ = 1..2
def f_(left_, right_):
    """Return the one of left_ and right_ with the larger g_.
    Of equal ones, take right_. The first k_ letters are cut off."""
    if g_(left_) > g_(right_):
        return left_[k_:]
    return right_[k_:]


#: f_(ints) -> int; g_(ints) -> int; k_ = 2..4
def f_(items_):
    """Return g_(items_) minus g_ of items_ without the last k_."""
    return g_(items_) - g_(items_[:-k_])
