#: f_(dict, int) -> int; k_ = 1..3
def f_(table_, limit_):
    """Return the sum of the numbers in table_ that are at least limit_.
    If there are none, return -k_."""
    total_ = 0
    found_ = False
    for amount_ in table_.values():
        if amount_ >= limit_:
            total_ += amount_
            found_ = True
    return total_ if found_ else -k_


#: f_(dict) -> text; s_ = 'none'|'empty'|'-'
def f_(table_):
    """Return the name with the largest number in table_.
    Of equal ones, take the last. An empty table_ gives s_."""
    best_ = s_
    top_ = 0
    for name_, amount_ in table_.items():
        if best_ == s_ or amount_ >= top_:
            best_ = name_
            top_ = amount_
    return best_


#: f_(words) -> dict; k_ = 1..3
def f_(words_):
    """Return how often each of words_ occurs, as a table.
    A word of more than k_ letters counts twice."""
    counts_ = {}
    for word_ in words_:
        amount_ = 2 if len(word_) > k_ else 1
        counts_[word_] = counts_.get(word_, 0) + amount_
    return counts_


#: f_(dict, key) -> int; k_ = 2..6; j_ = 2..4
def f_(table_, name_):
    """Return the number of name_ in table_, or k_ if it is not there.
    A number below j_ is doubled."""
    amount_ = table_.get(name_, k_)
    if amount_ < j_:
        amount_ = amount_ * 2
    return amount_


#: f_(dict, int) -> words; k_ = 1..2
def f_(table_, limit_):
    """Return the names in table_ whose number is below limit_, in order.
    At most k_ of them are given."""
    names_ = []
    for name_ in sorted(table_):
        if table_[name_] < limit_:
            names_.append(name_)
    return names_[:k_]


#: f_(dict, dict) -> dict; k_ = 1..3
def f_(left_, right_):
    """Return both tables in one, with the numbers of equal names added.
    A name that only right_ has gets k_ more."""
    both_ = dict(left_)
    for name_, amount_ in right_.items():
        both_[name_] = both_.get(name_, k_) + amount_
    return both_
