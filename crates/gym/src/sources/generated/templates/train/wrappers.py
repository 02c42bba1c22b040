#: f_(..., int) -> int; g_(...) -> int; k_ = 9..20
def f_(args_, extra_):
    """Return g_(args_) plus extra_, at most k_."""
    total_ = g_(args_) + extra_
    return min(total_, k_)


#: f_(...) -> int; g_(...) -> int; k_ = 3..9; j_ = 2..3
def f_(args_):
    """Return g_(args_), times j_ if that is below k_."""
    found_ = g_(args_)
    if found_ < k_:
        return found_ * j_
    return found_


#: f_(...) -> bool; g_(...) -> int; k_ = 2..8
def f_(args_):
    """Tell whether g_(args_) is at least k_ and even."""
    found_ = g_(args_)
    return found_ >= k_ and found_ % 2 == 0


#: f_(...) -> int; g_(...) -> int; h_(...) -> int; k_ = 1..4
def f_(args_):
    """Return g_(args_) minus h_(args_).
    If both are equal, return k_."""
    left_ = g_(args_)
    right_ = h_(args_)
    if left_ == right_:
        return k_
    return left_ - right_


#: f_(ints) -> int; g_(int) -> int; k_ = 1..3
def f_(items_):
    """Return the sum of g_ of each of items_, plus k_ for each item."""
    total_ = 0
    for item_ in items_:
        total_ += g_(item_) + k_
    return total_


#: f_(ints) -> ints; g_(int) -> bool; k_ = 2..3
def f_(items_):
    """Return those of items_ for which g_ is true, at most k_ of them."""
    kept_ = [item_ for item_ in items_ if g_(item_)]
    return kept_[:k_]


#: f_(ints1, int) -> int; g_(int, int) -> int; k_ = 1..4
def f_(items_, other_):
    """Return the largest g_(item, other_) over all of items_, plus k_."""
    found_ = [g_(item_, other_) for item_ in items_]
    return max(found_) + k_


#: f_(ints, small) -> int; g_(ints) -> int; k_ = 1..3
def f_(items_, place_):
    """Return g_ of the items before place_ minus g_ of the others.
    With no items at all, return k_."""
    if not items_:
        return k_
    return g_(items_[:place_]) - g_(items_[place_:])


#: f_(..., int) -> bool; g_(...) -> int; k_ = 1..3
def f_(args_, limit_):
    """Tell whether g_(args_) is within k_ of limit_."""
    gap_ = g_(args_) - limit_
    return -k_ <= gap_ <= k_


#: f_(...) -> int; g_(...) -> ints; k_ = 1..5
def f_(args_):
    """Return the sum of g_(args_) without its first item.
    A result of fewer than two items gives k_."""
    found_ = g_(args_)
    if len(found_) < 2:
        return k_
    return sum(found_[1:])


#: f_(...) -> text; g_(...) -> text; k_ = 3..5; c_ = '+'|'-'|'.'
def f_(args_):
    """Return g_(args_) with a c_ in front.
    If it has fewer than k_ letters, put the c_ at the end."""
    found_ = g_(args_)
    if len(found_) >= k_:
        return c_ + found_
    return found_ + c_


#: f_(words) -> int; g_(text) -> int; k_ = 1..3
def f_(words_):
    """Return the largest g_ of any of words_, or k_ if there are none."""
    best_ = -1
    for word_ in words_:
        best_ = max(best_, g_(word_))
    return best_ if words_ else k_


#: f_(dict) -> dict; g_(int) -> int; k_ = 2..6
def f_(table_):
    """Return table_ with g_ of each number.
    A number above k_ stays as it is."""
    made_ = {}
    for name_, amount_ in table_.items():
        made_[name_] = amount_ if amount_ > k_ else g_(amount_)
    return made_


#: f_(int, int) -> int; g_(int) -> int; h_(int) -> bool; k_ = 1..3
def f_(first_, second_):
    """Return g_ of first_ if h_ of second_ is true.
    Otherwise return g_ of second_, minus k_."""
    if h_(second_):
        return g_(first_)
    return g_(second_) - k_


#: f_(..., text) -> text; g_(...) -> int; k_ = 1..3
def f_(args_, text_):
    """Return text_ repeated g_(args_) times, at most k_ times.
    A number below 1 gives text_ in capitals."""
    times_ = min(g_(args_), k_)
    if times_ < 1:
        return text_.upper()
    return text_ * times_
