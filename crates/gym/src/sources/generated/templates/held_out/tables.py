#: f_(dict) -> int; k_ = 2..5
def f_(table_):
    """Return the largest number in table_ minus the smallest one.
    A table_ with fewer than two names gives k_."""
    if len(table_) < 2:
        return k_
    amounts_ = sorted(table_.values())
    return amounts_[-1] - amounts_[0]


#: f_(dict, words) -> int; k_ = 1..4
def f_(table_, names_):
    """Return the sum of the numbers of names_ in table_.
    Each name that is not in table_ takes k_ away."""
    total_ = 0
    for name_ in names_:
        if name_ in table_:
            total_ += table_[name_]
        else:
            total_ -= k_
    return total_
